// Package report writes what drills saw to a file that can be handed on: one page for people, JSON for programs, JUnit's XML for CI. It draws
// results and judges nothing; what a result does not have is not in the report either, rather than a zero.
package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
	"kassa/kafkaops/drill/compare"
)

// Document is what a report is of.
type Document struct {
	// Comparison is what the results are the runs of; nil where they are drills of their own.
	Comparison *compare.Comparison `json:"comparison,omitempty"`
	Results    []*drill.Result     `json:"results"`
}

// name is what result i is called: no other has the same, or who reads JUnit's XML takes two for one.
func (d Document) name(i int) string {
	if d.Comparison != nil && i < len(d.Comparison.Done) {
		return label(d.Comparison, d.Comparison.Done[i])
	}
	name, n, all := safe(d.Results[i].Drill), 0, 0
	for k, r := range d.Results {
		if r.Drill == d.Results[i].Drill {
			if all++; k <= i {
				n++
			}
		}
	}
	if all > 1 {
		return fmt.Sprintf("%s, run %d, seed %d", name, n, d.Results[i].Seed)
	}
	return name
}

// format writes a document.
type format func(io.Writer, Document) error

// formatOf chooses by the name of the file.
func formatOf(path string) (format, error) {
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".html":
		return HTML, nil
	case ".json":
		return JSON, nil
	case ".xml":
		return JUnit, nil
	default:
		return nil, &kafkaops.UserError{Message: fmt.Sprintf("a report is a file that ends in .html, .json or .xml (JUnit), not %q", filepath.Base(path))}
	}
}

// Check says whether a report can be written there, before an hour is spent on what it is to say: a name with no known ending and a directory that
// takes no file are a *kafkaops.UserError.
func Check(path string) error {
	if _, err := formatOf(path); err != nil {
		return err
	}
	f, err := beside(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// Write writes the results to path, in the format that its ending names: .html, .json or .xml. Any other ending, and a place that cannot be written to,
// is a *kafkaops.UserError. Whoever reads the file meanwhile sees the old one or the new one, never a half.
func Write(path string, results []*drill.Result) error {
	return write(path, Document{Results: results})
}

func write(path string, d Document) error {
	to, err := formatOf(path)
	if err != nil {
		return err
	}
	f, err := beside(path)
	if err != nil {
		return err
	}
	err = to(f, d)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("writing the report %s: %w", path, err)
	}
	return nil
}

// beside makes a file in the directory of path, which can then be renamed to it.
func beside(path string) (*os.File, error) {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		return nil, &kafkaops.UserError{Message: fmt.Sprintf("the report cannot be written: %s is a directory", path)}
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, &kafkaops.UserError{Message: fmt.Sprintf("the report %s cannot be written: %v", path, err), Err: err}
	}
	return f, nil
}

// JSON writes {"results":[…]}, each as `kassa drill --json` ends with, and before them "comparison" where there is one.
func JSON(w io.Writer, d Document) error {
	if d.Results == nil {
		d.Results = []*drill.Result{}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(d)
}
