package tui

import (
	"fmt"
	"image/color"
	"slices"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"
)

// Theme is a choice of colours, by the word that a person writes.
type Theme string

// The themes. Auto is dark or light as the terminal's background is, and takes fewer colours where the terminal has fewer.
const (
	ThemeAuto     Theme = "auto"
	ThemeDark     Theme = "dark"
	ThemeLight    Theme = "light"
	ThemeContrast Theme = "high-contrast" // on black or on white, as the background is
	ThemeBlind    Theme = "colour-blind"  // told apart also by those who do not see red or green
	Theme16       Theme = "16"            // the sixteen colours that the terminal itself has
	ThemeNone     Theme = "none"          // no colour at all, as NO_COLOR asks for
)

// Themes lists them all, in the order in which they are offered.
func Themes() []Theme {
	return []Theme{ThemeAuto, ThemeDark, ThemeLight, ThemeContrast, ThemeBlind, Theme16, ThemeNone}
}

// ParseTheme finds the theme that a word means.
func ParseTheme(word string) (Theme, error) {
	t := Theme(strings.ToLower(strings.TrimSpace(word)))
	switch t {
	case "color-blind":
		t = ThemeBlind
	case "contrast":
		t = ThemeContrast
	}
	if slices.Contains(Themes(), t) {
		return t, nil
	}
	return "", fmt.Errorf("the theme is %s, not %q", listed(Themes()), word)
}

// listed writes words as one says them: a, b or c.
func listed[T ~string](words []T) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = string(w)
	}
	return strings.Join(out[:len(out)-1], ", ") + " or " + out[len(out)-1]
}

// palette is the colours of a theme by meaning: "#rrggbb", the number of one of the terminal's own, or empty for its text.
type palette struct {
	Background, Foreground string // what it is made for; the terminal is told of them only where its own would not do
	Dim, Good, Warn, Bad   string
	Accent, Key, Brand     string
	Frame                  string // of panes: a line to see, not a text to read
}

// The palettes. TestContrast holds them to WCAG 2.2, 4.5:1 (AA) on the backgrounds that terminals come with, also in the nearest of 256 colours, and 7:1 (AAA) for
// high contrast; TestColourBlind holds the blind ones apart under simulated deuteranopia, protanopia and tritanopia. Greys are neutral because
// the nearest of the 256 to a bluish one is green.
var (
	darkPalette = palette{
		Background: "#16181d", Foreground: "#e6e8eb",
		Dim: "#a1a4a8", Good: "#56d364", Warn: "#e3b341", Bad: "#ff8f87", Accent: "#c9a3ff", Key: "#79b8ff", Brand: "#ffa657", Frame: "#767676",
	}
	lightPalette = palette{
		Background: "#ffffff", Foreground: "#1b1f24",
		Dim: "#5f6266", Good: "#116329", Warn: "#7d4e00", Bad: "#b31d28", Accent: "#6f32c7", Key: "#0b57b5", Brand: "#943a06", Frame: "#949699",
	}
	darkContrast = palette{
		Background: "#000000", Foreground: "#ffffff",
		Dim: "#d0d7de", Good: "#4ae168", Warn: "#ffd33d", Bad: "#ff9a94", Accent: "#dcb8ff", Key: "#9ecbff", Brand: "#ffb77c", Frame: "#b0b8c0",
	}
	lightContrast = palette{
		Background: "#ffffff", Foreground: "#000000",
		Dim: "#3d444d", Good: "#024c1a", Warn: "#5c3600", Bad: "#86061d", Accent: "#4b1a9e", Key: "#023b95", Brand: "#702c00", Frame: "#57606a",
	}
	darkBlind = palette{
		Background: "#16181d", Foreground: "#e6e8eb",
		Dim: "#9ea3aa", Good: "#58acff", Warn: "#f5e26b", Bad: "#ff8629", Accent: "#f9c5fd", Frame: "#767676",
	}
	lightBlind = palette{
		Background: "#ffffff", Foreground: "#1b1f24",
		Dim: "#5c636b", Good: "#0b5fd0", Warn: "#776c0b", Bad: "#5e1a00", Accent: "#581e69", Frame: "#949699",
	}
	// Which sixteen colours these are is the terminal's business. On dark the bright ones are readable everywhere; on light only some of the
	// others are, so well and ill are told by bold and words there.
	dark16  = palette{Dim: "7", Good: "10", Warn: "11", Bad: "9", Accent: "13", Key: "14", Brand: "11", Frame: "8"}
	light16 = palette{Good: "4", Warn: "5", Bad: "1", Accent: "5", Key: "4", Brand: "1", Frame: "8"}
)

// palette is the theme's for a dark or a light background; false for none.
func (t Theme) palette(dark bool) (palette, bool) {
	pick := func(onDark, onLight palette) (palette, bool) {
		if dark {
			return onDark, true
		}
		return onLight, true
	}
	switch t {
	case ThemeNone:
		return palette{}, false
	case Theme16:
		return pick(dark16, light16)
	case ThemeContrast:
		return pick(darkContrast, lightContrast)
	case ThemeBlind:
		return pick(darkBlind, lightBlind)
	case ThemeDark:
		return darkPalette, true
	case ThemeLight:
		return lightPalette, true
	}
	return pick(darkPalette, lightPalette)
}

// ground is what is known of the terminal.
type ground struct {
	dark    bool
	told    bool // it has said so
	profile colorprofile.Profile
}

// within is the theme that the terminal has the colours for.
func (g ground) within(t Theme) Theme {
	switch {
	case t == ThemeNone, g.profile != colorprofile.Unknown && g.profile < colorprofile.ANSI:
		return ThemeNone
	case g.profile == colorprofile.ANSI:
		return Theme16
	}
	return t
}

// styles is how a theme writes on this terminal, and the colours that the terminal itself has to take on for it; nil where its own do.
func (t Theme) styles(g ground) (s Styles, background, foreground color.Color) {
	shown := g.within(t)
	p, coloured := shown.palette(g.dark)
	if !coloured {
		return plainStyles(), nil, nil
	}
	other := g.told && (shown == ThemeDark && !g.dark || shown == ThemeLight && g.dark)
	if other || shown == ThemeContrast {
		background, foreground = lipgloss.Color(p.Background), lipgloss.Color(p.Foreground)
	}
	return p.styles(), background, foreground
}
