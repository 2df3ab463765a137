package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"kassa/tui"
)

// The look of the screen is kept in a file of the user's. It is the only thing that outlives a run without being asked for, so whatever is wrong
// with it is said and never stops anybody.

// noConfig keeps nothing and reads nothing.
const noConfig = "none"

// configEnv says where the look is kept, as --config does.
const configEnv = "KASSA_CONFIG"

// configLimit is more than any look has, in bytes.
const configLimit = 64 << 10

// lookFlags say how the screen looks, and where that is kept.
type lookFlags struct{ theme, layout, file string }

func (f *lookFlags) register(cmd *cobra.Command) {
	words := func(list []string) string { return strings.Join(list, ", ") }
	themes, layouts := wordsOf(tui.Themes()), wordsOf(tui.Layouts())
	cmd.Flags().StringVar(&f.theme, "theme", "", "colours for this run: "+words(themes)+"; V chooses, and keeps the choice")
	cmd.Flags().StringVar(&f.layout, "layout", "", "what is where, for this run: "+words(layouts)+"; w and V choose, and keep the choice")
	cmd.Flags().StringVar(&f.file, "config", os.Getenv(configEnv), "the file that keeps how the screen looks, or none (the default is in the user's configuration directory; "+configEnv+")")
	_ = cmd.RegisterFlagCompletionFunc("theme", cobra.FixedCompletions(themes, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("layout", cobra.FixedCompletions(layouts, cobra.ShellCompDirectiveNoFileComp))
}

func wordsOf[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = string(w)
	}
	return out
}

// into puts the look that was kept, and what the flags say of it, into the screen's configuration.
func (f *lookFlags) into(cfg *tui.Config) error {
	asked, err := tui.Look{Theme: tui.Theme(f.theme), Layout: tui.Layout(f.layout)}.Checked()
	if err != nil {
		return usageError{err}
	}
	file := f.path()
	kept, err := readLook(file)
	if err != nil {
		cfg.LookNote = fmt.Sprintf("how the screen looked is not known: %s (--config none does without)", oneLine(err))
	}
	cfg.Look, cfg.LookFile = kept, file
	if f.theme != "" {
		cfg.Look.Theme = asked.Theme
	}
	if f.layout != "" {
		cfg.Look.Layout = asked.Layout
	}
	if file == "" {
		return nil
	}
	cfg.KeepLook = func(l tui.Look) error {
		// What a flag says is for this run; what was chosen since is for good.
		if f.theme != "" && l.Theme == asked.Theme {
			l.Theme = kept.Theme
		}
		if f.layout != "" && l.Layout == asked.Layout {
			l.Layout = kept.Layout
		}
		return writeLook(file, l)
	}
	return nil
}

// path is the file, empty for none.
func (f *lookFlags) path() string {
	switch f.file {
	case noConfig:
		return ""
	case "":
		dir, err := os.UserConfigDir()
		if err != nil { // no home: nothing is kept
			return ""
		}
		return filepath.Join(dir, "kassa", "screen.yaml")
	}
	return f.file
}

// readLook reads a look. One that is not there is that of a newcomer.
func readLook(file string) (tui.Look, error) {
	newcomer, _ := tui.Look{}.Checked()
	if file == "" {
		return newcomer, nil
	}
	in, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return newcomer, nil
	}
	if err != nil {
		return newcomer, err
	}
	defer in.Close()
	text, err := io.ReadAll(io.LimitReader(in, configLimit+1))
	switch {
	case err != nil:
		return newcomer, err
	case len(text) > configLimit:
		return newcomer, fmt.Errorf("%s has more than %d bytes", file, configLimit)
	case len(bytes.TrimSpace(text)) == 0:
		return newcomer, nil
	}
	var l tui.Look
	if err := yaml.UnmarshalWithOptions(text, &l, yaml.Strict()); err != nil {
		return newcomer, fmt.Errorf("%s: %s", file, yaml.FormatError(err, false, false))
	}
	checked, err := l.Checked()
	if err != nil {
		return newcomer, fmt.Errorf("%s: %w", file, err)
	}
	return checked, nil
}

// writeLook writes all of it or nothing: a run that ends in between leaves the old one.
func writeLook(file string, l tui.Look) error {
	text, err := yaml.Marshal(l)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	_, err = tmp.WriteString("# How kassa's screen looks. kassa writes this file; V on the screen chooses.\n" + string(text))
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
	}
	return err
}
