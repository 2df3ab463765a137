package main

import (
	"os"
	"path/filepath"
	"testing"
)

// A catalogue that cannot be used is refused in one sentence that names the file and the line, with exit code 2.
func TestCatalogueErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "shop.yaml")
	if err := os.WriteFile(file, []byte("- id: 1\n  name: Cap\n  price: -5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		file:                            "correct the catalogue " + file + ": line 3: the price -5 is negative",
		filepath.Join(dir, "none.yaml"): "cannot read the catalogue (open " + filepath.Join(dir, "none.yaml") + ": no such file or directory): choose another file with --catalogue",
	} {
		_, err := loadCatalogue(path)
		if err == nil || oneLine(err) != want || exitCode(err) != exitCannot {
			t.Errorf("%s gives %v, want %q", path, err, want)
		}
	}
	if products, err := loadCatalogue(""); err != nil || len(products) != 3 {
		t.Errorf("without a file: %d products, %v", len(products), err)
	}
}
