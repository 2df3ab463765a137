package tui

import (
	"strings"

	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"
)

// field is a line of text that a person is asked for, in the place of the hints. It has every key while it is there.
type field struct {
	input textinput.Model
	done  func(text string) // when it is entered; not when it is left with esc
	typed func(text string) // at every change; may be nil
	left  func()            // with esc; may be nil
}

// fieldLimit is the most characters of it.
const fieldLimit = 60

func (m *Model) ask(name, text string, done func(string)) tea.Cmd {
	f := &field{input: textinput.New(), done: done}
	f.input.Prompt = name + ": "
	f.input.CharLimit = fieldLimit
	f.input.SetValue(text)
	f.input.CursorEnd()
	m.field = f
	return f.input.Focus()
}

func (m *Model) fieldKey(k tea.KeyPressMsg) tea.Cmd {
	f := m.field
	switch k.String() {
	case "enter":
		m.field = nil
		f.done(f.input.Value())
		return nil
	case "esc":
		m.field = nil
		if f.left != nil {
			f.left()
		}
		return nil
	case "ctrl+c":
		return tea.Quit
	}
	return f.update(k)
}

func (f *field) update(msg tea.Msg) tea.Cmd {
	before := f.input.Value()
	cmd := typed(&f.input, msg)
	if text := f.input.Value(); text != before && f.typed != nil {
		f.typed(text)
	}
	return cmd
}

// typed gives a key or a paste to a line of text, and keeps out of it what would break the line that it is drawn in.
func typed(in *textinput.Model, msg tea.Msg) (cmd tea.Cmd) {
	*in, cmd = in.Update(msg)
	if text := safe(in.Value()); text != in.Value() {
		at := in.Position()
		in.SetValue(text)
		in.SetCursor(at)
	}
	return cmd
}

// pasteLimit is how much of a paste is looked at, in bytes: more than any line takes.
const pasteLimit = 4 << 10

// pasted is what a paste means for a line of text: its beginning, as one line.
func pasted(msg tea.PasteMsg) tea.PasteMsg {
	text := msg.Content[:min(len(msg.Content), pasteLimit)]
	return tea.PasteMsg{Content: strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), " ")}
}

// line is the field with w cells.
func (f *field) line(s Styles, w int) string {
	const note = "   enter keeps it, esc leaves it"
	f.input.SetWidth(max(w-len(f.input.Prompt)-len(note)-3, 10))
	return fit(" "+f.input.View()+s.Dim.Render(note), w)
}
