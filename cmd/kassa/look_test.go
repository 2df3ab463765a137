package main

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"kassa/tui"
)

// What is chosen on the screen is there in the next run, and a flag is for one run only.
func TestALookIsKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "not", "there", "yet", "screen.yaml")
	open := func(f lookFlags) tui.Config {
		t.Helper()
		f.file = file
		var cfg tui.Config
		if err := f.into(&cfg); err != nil || cfg.LookNote != "" {
			t.Fatalf("%v, %q", err, cfg.LookNote)
		}
		return cfg
	}
	first := open(lookFlags{})
	if want := (tui.Look{Theme: tui.ThemeAuto, Layout: tui.LayoutAuto}); !reflect.DeepEqual(first.Look, want) {
		t.Errorf("a newcomer sees %+v", first.Look)
	}
	chosen := tui.Look{Theme: tui.ThemeBlind, Layout: tui.LayoutStack, Hidden: []string{"email", "timeline"}}
	if err := first.KeepLook(chosen); err != nil {
		t.Fatal(err)
	}
	if second := open(lookFlags{}); !reflect.DeepEqual(second.Look, chosen) {
		t.Errorf("kept %+v, want %+v", second.Look, chosen)
	}

	flagged := open(lookFlags{theme: "Dark"})
	if flagged.Look.Theme != tui.ThemeDark || flagged.Look.Layout != tui.LayoutStack {
		t.Errorf("with --theme dark it is %+v", flagged.Look)
	}
	l := flagged.Look
	l.Layout = tui.LayoutCharts
	if err := flagged.KeepLook(l); err != nil {
		t.Fatal(err)
	}
	if third := open(lookFlags{}); third.Look.Theme != tui.ThemeBlind || third.Look.Layout != tui.LayoutCharts {
		t.Errorf("a flag was kept, or a choice was not: %+v", third.Look)
	}
	if left, _ := os.ReadDir(filepath.Dir(file)); len(left) != 1 {
		t.Errorf("beside the file there are %v", left)
	}
}

// A file that cannot be read is said and ignored.
func TestALookThatIsBrokenIsIgnored(t *testing.T) {
	for text, says := range map[string]string{
		"theme: pink":                  "the theme is",
		"layout: [":                    "screen.yaml",
		"hidden: [cellar]":             `not "cellar"`,
		"colour: red":                  "unknown field",
		"\x00\xff":                     "screen.yaml",
		strings.Repeat("# x\n", 20000): "more than 65536 bytes",
		"hidden: [checkout, payment, order, email, brokers, partitions, timeline, services, analytics, charts]": "one has to be there",
	} {
		file := filepath.Join(t.TempDir(), "screen.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var cfg tui.Config
		f := lookFlags{file: file}
		if err := f.into(&cfg); err != nil {
			t.Errorf("%.20q: %v", text, err)
		}
		if !strings.Contains(cfg.LookNote, says) || strings.ContainsAny(cfg.LookNote, "\n") {
			t.Errorf("%.20q: it says %q, want %q in a line", text, cfg.LookNote, says)
		}
		if cfg.Look.Theme != tui.ThemeAuto || len(cfg.Look.Hidden) > 0 {
			t.Errorf("%.20q: half of it was taken: %+v", text, cfg.Look)
		}
	}
	var cfg tui.Config
	if err := (&lookFlags{file: t.TempDir()}).into(&cfg); err != nil || cfg.LookNote == "" { // a directory
		t.Errorf("%v, %q", err, cfg.LookNote)
	}
}

// With --config none nothing is read and nothing kept; a word that is no theme is the user's mistake.
func TestLookFlags(t *testing.T) {
	var cfg tui.Config
	if err := (&lookFlags{file: noConfig}).into(&cfg); err != nil || cfg.KeepLook != nil || cfg.LookFile != "" {
		t.Errorf("%v, %+v", err, cfg)
	}
	for _, f := range []lookFlags{{theme: "pink"}, {layout: "circle"}} {
		f.file = noConfig
		if err := f.into(&cfg); !errors.As(err, new(usageError)) {
			t.Errorf("%+v: %v", f, err)
		}
	}
}
