package tui

import (
	"fmt"
	"image/color"
	"math"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/lucasb-eyer/go-colorful"
)

// The backgrounds that terminals and their common schemes come with: xterm, GitHub, VS Code, One Dark, Solarized, Dracula, Catppuccin, Nord, Tomorrow.
var (
	darkGrounds  = []string{"#000000", "#0d1117", "#1e1e1e", "#282c34", "#002b36", "#282a36", "#24273a", "#2e3440", "#1d1f21"}
	lightGrounds = []string{"#ffffff", "#fafafa", "#f6f8fa", "#fdf6e3", "#eff1f5", "#fbf1c7"} // the last three: Solarized, Catppuccin, Gruvbox
)

func parsed(t *testing.T, c color.Color) colorful.Color {
	t.Helper()
	out, ok := colorful.MakeColor(c)
	if !ok {
		t.Fatalf("%v is no colour", c)
	}
	return out
}

// contrast is the ratio of WCAG 2.2, from the relative luminance of both.
func contrast(a, b colorful.Color) float64 {
	light := func(c colorful.Color) float64 {
		r, g, b := c.LinearRgb()
		return 0.2126*r + 0.7152*g + 0.0722*b
	}
	la, lb := light(a), light(b)
	return (math.Max(la, lb) + 0.05) / (math.Min(la, lb) + 0.05)
}

// inks are the colours of a palette that text is written in.
func (p palette) inks() map[string]string {
	out := map[string]string{"dim": p.Dim, "good": p.Good, "warn": p.Warn, "bad": p.Bad, "accent": p.Accent, "key": p.Key, "brand": p.Brand, "text": p.Foreground}
	for name, c := range out {
		if c == "" {
			delete(out, name) // the terminal's own text
		}
	}
	return out
}

// Text can be read against whatever background a theme may find itself on, in true colours and in the nearest of 256; borders can be seen.
func TestContrast(t *testing.T) {
	for _, c := range []struct {
		name    string
		palette palette
		grounds []string
		text    float64
		frame   float64
	}{
		{"dark", darkPalette, append(darkGrounds, darkPalette.Background), 4.5, 2.4},
		{"light", lightPalette, lightGrounds, 4.5, 2.4},
		{"high contrast, dark", darkContrast, []string{darkContrast.Background}, 7, 4.5},
		{"high contrast, light", lightContrast, []string{lightContrast.Background}, 7, 4.5},
		{"colour-blind, dark", darkBlind, append(darkGrounds, darkBlind.Background), 4.5, 2.4},
		{"colour-blind, light", lightBlind, lightGrounds, 4.5, 2.4},
	} {
		for profile, want := range map[colorprofile.Profile]float64{colorprofile.TrueColor: c.text, colorprofile.ANSI256: 4.5} {
			worst, at := math.Inf(1), ""
			for name, hex := range c.palette.inks() {
				ink := parsed(t, profile.Convert(lipgloss.Color(hex)))
				for _, ground := range c.grounds {
					if got := contrast(ink, parsed(t, lipgloss.Color(ground))); got < worst {
						worst, at = got, fmt.Sprintf("%s %s on %s", name, hex, ground)
					}
				}
			}
			t.Logf("%-20s in %-9s at least %.1f:1 (%s)", c.name, profile, worst, at)
			if worst < want {
				t.Errorf("%s, %s: %s has a contrast of %.2f:1, want %.1f:1", c.name, profile, at, worst, want)
			}
		}
		for _, ground := range c.grounds {
			if got := contrast(parsed(t, lipgloss.Color(c.palette.Frame)), parsed(t, lipgloss.Color(ground))); got < c.frame {
				t.Errorf("%s: the frame has a contrast of %.2f:1 on %s, want %.1f:1", c.name, got, ground, c.frame)
			}
		}
	}
}

// The sixteen colours are the terminal's. In xterm's and in VGA's, every one that is used can be read.
func TestContrastOf16(t *testing.T) {
	xterm := []string{
		"#000000", "#cd0000", "#00cd00", "#cdcd00", "#0000ee", "#cd00cd", "#00cdcd", "#e5e5e5",
		"#7f7f7f", "#ff0000", "#00ff00", "#ffff00", "#5c5cff", "#ff00ff", "#00ffff", "#ffffff",
	}
	vga := []string{
		"#000000", "#aa0000", "#00aa00", "#aa5500", "#0000aa", "#aa00aa", "#00aaaa", "#aaaaaa",
		"#555555", "#ff5555", "#55ff55", "#ffff55", "#5555ff", "#ff55ff", "#55ffff", "#ffffff",
	}
	for name, scheme := range map[string][]string{"xterm": xterm, "VGA": vga} {
		for ground, p := range map[string]palette{"#000000": dark16, "#ffffff": light16} {
			for ink, number := range p.inks() {
				var n int
				if _, err := fmt.Sscan(number, &n); err != nil || n > 15 {
					t.Fatalf("%s is %q, none of the sixteen", ink, number)
				}
				if got := contrast(parsed(t, lipgloss.Color(scheme[n])), parsed(t, lipgloss.Color(ground))); got < 4.5 {
					t.Errorf("%s: %s (%d) on %s has %.2f:1", name, ink, n, ground, got)
				}
			}
		}
	}
}

// How someone sees who lacks a kind of cone: Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
var blindness = map[string][3][3]float64{
	"protanopia":   {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
	"deuteranopia": {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
	"tritanopia":   {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}},
	"all cones":    {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
}

func seenWith(c colorful.Color, m [3][3]float64) colorful.Color {
	r, g, b := c.LinearRgb()
	row := func(i int) float64 { return math.Max(0, math.Min(1, m[i][0]*r+m[i][1]*g+m[i][2]*b)) }
	return colorful.LinearRgb(row(0), row(1), row(2))
}

// Well, ill and worse are told apart by everybody, and so are they from text: ΔE of CIEDE2000, where 2 is just seen and 10 at a glance.
func TestColourBlind(t *testing.T) {
	states := []string{"good", "warn", "bad"}
	for name, p := range map[string]palette{"dark": darkBlind, "light": lightBlind} {
		inks := p.inks()
		for kind, m := range blindness {
			worst, at := math.Inf(1), ""
			for a, ca := range inks {
				for b, cb := range inks {
					if a >= b {
						continue
					}
					got := 100 * seenWith(parsed(t, lipgloss.Color(ca)), m).DistanceCIEDE2000(seenWith(parsed(t, lipgloss.Color(cb)), m))
					if got < worst {
						worst, at = got, a+" and "+b
					}
					limit := 10.0
					if strings.Contains(strings.Join(states, " "), a) && strings.Contains(strings.Join(states, " "), b) {
						limit = 12
					}
					if got < limit {
						t.Errorf("%s, %s: %s and %s are %.1f apart, want %.0f", name, kind, a, b, got, limit)
					}
				}
			}
			t.Logf("%-5s %-12s nearest: %s, ΔE %.1f", name, kind, at, worst)
		}
	}
}

// A theme is what was asked for as far as the terminal can, and is told in words where it cannot.
func TestThemeFitsTheTerminal(t *testing.T) {
	s := newStage(t, 120, 40)
	for _, c := range []struct {
		theme   Theme
		dark    bool
		profile colorprofile.Profile
		want    Styles
		takes   string // the background that the terminal takes on
	}{
		{ThemeAuto, true, colorprofile.TrueColor, darkPalette.styles(), ""},
		{ThemeAuto, false, colorprofile.ANSI256, lightPalette.styles(), ""},
		{ThemeAuto, true, colorprofile.ANSI, dark16.styles(), ""},
		{ThemeAuto, true, colorprofile.ASCII, plainStyles(), ""},
		{ThemeDark, true, colorprofile.TrueColor, darkPalette.styles(), ""},
		{ThemeDark, false, colorprofile.TrueColor, darkPalette.styles(), darkPalette.Background},
		{ThemeLight, true, colorprofile.TrueColor, lightPalette.styles(), lightPalette.Background},
		{ThemeContrast, false, colorprofile.TrueColor, lightContrast.styles(), lightContrast.Background},
		{ThemeContrast, true, colorprofile.ASCII, plainStyles(), ""},
		{ThemeBlind, true, colorprofile.TrueColor, darkBlind.styles(), ""},
		{Theme16, false, colorprofile.TrueColor, light16.styles(), ""},
		{ThemeNone, true, colorprofile.TrueColor, plainStyles(), ""},
	} {
		s.look.Theme = c.theme
		s.ground = ground{profile: colorprofile.TrueColor}
		s.send(tea.ColorProfileMsg{Profile: c.profile})
		s.send(tea.BackgroundColorMsg{Color: map[bool]color.Color{true: color.Black, false: color.White}[c.dark]})
		if s.styles != c.want {
			t.Errorf("%s, dark %v, %s: not the styles of the theme", c.theme, c.dark, c.profile)
		}
		var want color.Color
		if c.takes != "" {
			want = lipgloss.Color(c.takes)
		}
		if v := s.View(); v.BackgroundColor != want || (v.ForegroundColor == nil) != (want == nil) {
			t.Errorf("%s, dark %v, %s: the terminal's background becomes %v, want %v", c.theme, c.dark, c.profile, v.BackgroundColor, want)
		}
	}
	for word, want := range map[string]Theme{"Dark": ThemeDark, "color-blind": ThemeBlind, "contrast": ThemeContrast, "16": Theme16} {
		if got, err := ParseTheme(word); got != want || err != nil {
			t.Errorf("%q is %q, %v", word, got, err)
		}
	}
	if _, err := ParseTheme("pink"); err == nil || !strings.Contains(err.Error(), "colour-blind, 16 or none") {
		t.Errorf("pink: %v", err)
	}
}
