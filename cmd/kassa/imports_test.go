package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// rooms is which of our packages each room may import besides those inside itself; the first match of a prefix counts.
var rooms = []struct {
	room  string
	may   []string
	never []string // packages of others
}{
	{"kassa/services/events", nil, []string{"github.com/", "golang.org/", "charm.land/"}},
	// The ledger shares nothing with what it judges.
	{"kassa/services/ledger", nil, []string{"charm.land/"}},
	{"kassa/services", nil, []string{"charm.land/"}},
	{"kassa/kafkaops", nil, []string{"charm.land/"}},
	{"kassa/tui", []string{"kassa/kafkaops", "kassa/services"}, []string{"github.com/twmb/franz-go"}},
	{"kassa/compose", nil, []string{"github.com/", "golang.org/", "charm.land/"}},
	{"kassa/cmd", []string{"kassa/tui", "kassa/kafkaops", "kassa/services", "kassa/compose"}, nil},
}

// Imports point one way: cmd → tui → kafkaops, services → events.
func TestImportsPointOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "kassa/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := 0
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var pkg struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&pkg); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		seen++
		for _, r := range rooms {
			if pkg.ImportPath != r.room && !strings.HasPrefix(pkg.ImportPath, r.room+"/") {
				continue
			}
			for _, imp := range pkg.Imports {
				inside := imp == r.room || strings.HasPrefix(imp, r.room+"/")
				allowed := slices.ContainsFunc(r.may, func(p string) bool { return imp == p || strings.HasPrefix(imp, p+"/") })
				if strings.HasPrefix(imp, "kassa/") && !inside && !allowed {
					t.Errorf("%s imports %s", pkg.ImportPath, imp)
				}
				for _, never := range r.never {
					if strings.HasPrefix(imp, never) {
						t.Errorf("%s imports %s", pkg.ImportPath, imp)
					}
				}
			}
			break
		}
	}
	if seen < 5 {
		t.Fatalf("go list named %d packages: the test looks at nothing", seen)
	}
}
