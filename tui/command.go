package tui

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"
)

// The command line: a word for everything that a key does, and for some things more, with completion and history. What the words mean is in words.go.

// commandLine is what is being typed after the colon. It has every key while it is there.
type commandLine struct {
	input textinput.Model
	err   string // why the last enter did nothing; the text stays

	// What the last word of the text may be completed to, as it was typed: choosing among them changes the text and not the list.
	offers []candidate
	from   int // where in the text they begin, in bytes
	chosen int // -1: none

	draft string // what was typed before the history was looked at
	past  int    // which line of the history is shown; its length: the draft
}

// candidate is something that a word may be completed to.
type candidate struct {
	text string
	note string // what it is, in a few words; may be empty
}

const (
	commandLimit = 300 // characters
	historyLimit = 100 // lines
)

// openCommand opens the command line with a text to begin with.
func (m *Model) openCommand(text string) tea.Cmd {
	c := &commandLine{input: textinput.New(), past: len(m.said)}
	c.input.Prompt = ":"
	c.input.CharLimit = commandLimit
	c.input.SetValue(text)
	c.input.CursorEnd()
	m.command = c
	m.suggest()
	return tea.Batch(c.input.Focus(), m.readOffers())
}

func (m *Model) commandKey(k tea.KeyPressMsg) tea.Cmd {
	c := m.command
	switch k.String() {
	case "enter":
		return m.runCommand()
	case "esc":
		m.command = nil
	case "ctrl+c":
		return tea.Quit
	case "tab":
		c.choose(1)
		if c.chosen < 0 { // it was completed, and something else may follow
			m.suggest()
			return m.readOffers()
		}
	case "shift+tab":
		c.choose(-1)
	case "up", "ctrl+p":
		m.recall(-1)
		return m.readOffers()
	case "down", "ctrl+n":
		m.recall(1)
		return m.readOffers()
	default:
		return m.typeCommand(k)
	}
	return nil
}

// typeCommand gives a key, a paste or the blinking of the cursor to the line.
func (m *Model) typeCommand(msg tea.Msg) (cmd tea.Cmd) {
	c := m.command
	before := c.input.Value()
	if p, ok := msg.(tea.PasteMsg); ok {
		msg = pasted(p)
	}
	cmd = typed(&c.input, msg)
	if c.input.Value() != before {
		c.err, c.past = "", len(m.said)
		m.suggest()
		return tea.Batch(cmd, m.readOffers())
	}
	return cmd
}

// readOffers has the topics read that the line may be completed to, however it came to be about one.
func (m *Model) readOffers() tea.Cmd {
	if !strings.HasPrefix(m.command.input.Value(), "topic ") || m.now().Sub(m.picker.read) <= topicsEvery {
		return nil
	}
	return m.readTopics()
}

// runCommand does what the line says. What cannot be done stays to be mended.
func (m *Model) runCommand() tea.Cmd {
	c := m.command
	text := strings.TrimSpace(c.input.Value())
	m.command = nil // what is done may ask for something else in its place
	if text == "" {
		return nil
	}
	cmd, err := m.execute(text)
	m.dirtyAll()
	if err != nil {
		c.err = upper(safe(err.Error()))
		m.command = c
		return nil
	}
	m.said = slices.DeleteFunc(m.said, func(old string) bool { return old == text })
	if m.said = append(m.said, text); len(m.said) > historyLimit {
		m.said = m.said[1:]
	}
	return cmd
}

// execute does what one line says. A word without arguments does what its key does in the focused pane; elsewhere, and with arguments, what the table of
// words says.
func (m *Model) execute(text string) (tea.Cmd, error) {
	name, rest, _ := strings.Cut(text, " ")
	w, err := m.word(name)
	if err != nil {
		return nil, err
	}
	rest = strings.TrimSpace(rest)
	if rest == "" {
		for _, a := range m.keys {
			if a.word == w.name && a.do != nil && !a.line && a.here(m) {
				return a.do(m), nil
			}
		}
	}
	switch {
	case w.do != nil:
		return w.do(m, rest)
	case rest != "":
		return nil, fmt.Errorf("%s takes nothing behind it", w.name)
	}
	return nil, m.notHere(w)
}

// notHere says why a word that works in some panes, or at some times, does not now.
func (m *Model) notHere(w word) error {
	var places []string
	for _, a := range m.keys {
		switch place := a.in.words(); {
		case a.word != w.name:
		case a.in.has(m):
			return a.whyNot(m)
		case !slices.Contains(places, place):
			places = append(places, place)
		}
	}
	return fmt.Errorf("%s works in %s", w.name, strings.Join(places, ", "))
}

// word finds what a name or the unmistakable beginning of one stands for.
func (m *Model) word(name string) (word, error) {
	var found []string
	var last word
	for _, w := range m.words {
		if w.name == name {
			return w, nil
		}
		if strings.HasPrefix(w.name, name) {
			found, last = append(found, w.name), w
		}
	}
	switch len(found) {
	case 0:
		return word{}, fmt.Errorf("there is no word %q: tab lists what there is", name)
	case 1:
		return last, nil
	}
	return word{}, fmt.Errorf("%q may be %s", name, strings.Join(found, ", "))
}

// errNoPicture is why something cannot be done to a cluster that nobody has seen yet.
var errNoPicture = errors.New("nothing is known of the cluster yet")

// suggest works out what the last word of the text may be.
func (m *Model) suggest() {
	c := m.command
	text := c.input.Value()
	c.from, c.chosen, c.offers = strings.LastIndexByte(text, ' ')+1, -1, nil
	begun := text[c.from:]
	var all []candidate
	if c.from == 0 {
		for _, w := range m.words {
			all = append(all, candidate{w.name, w.note()})
		}
	} else {
		name, rest, _ := strings.Cut(text[:c.from], " ")
		w, err := m.word(name)
		if err != nil || w.offer == nil {
			return
		}
		all = w.offer(m, strings.Fields(rest))
	}
	for _, o := range all {
		if len(o.text) >= len(begun) && strings.EqualFold(o.text[:len(begun)], begun) {
			c.offers = append(c.offers, o)
		}
	}
	if len(c.offers) > 0 {
		return
	}
	for _, o := range all { // none begins so: those that are about it
		if strings.Contains(strings.ToLower(o.text+" "+o.note), strings.ToLower(begun)) {
			c.offers = append(c.offers, o)
		}
	}
}

// choose completes as far as there is one way to, then goes through the ways there are.
func (c *commandLine) choose(by int) {
	if len(c.offers) == 0 {
		return
	}
	c.err = ""
	text := c.input.Value()
	set := func(text string) {
		c.input.SetValue(text)
		c.input.CursorEnd()
	}
	if c.chosen < 0 {
		if len(c.offers) == 1 {
			set(text[:c.from] + c.offers[0].text + " ")
			return
		}
		if common := commonStart(c.offers); len(common) > len(text)-c.from {
			set(text[:c.from] + common)
			return
		}
		if by < 0 {
			c.chosen = 0
		}
	}
	c.chosen = (c.chosen + by + len(c.offers)) % len(c.offers)
	set(text[:c.from] + c.offers[c.chosen].text)
}

// commonStart is what all candidates begin with.
func commonStart(list []candidate) string {
	common := list[0].text
	for _, o := range list[1:] {
		for !strings.HasPrefix(o.text, common) {
			common = common[:len(common)-1]
		}
	}
	return common
}

// recall shows a line from the history, older or newer ones. Behind the newest is what was being typed.
func (m *Model) recall(by int) {
	c := m.command
	if c.past == len(m.said) {
		c.draft = c.input.Value()
	}
	to := max(0, min(c.past+by, len(m.said)))
	if to == c.past {
		return
	}
	c.past, c.err = to, ""
	text := c.draft
	if to < len(m.said) {
		text = m.said[to]
	}
	c.input.SetValue(text)
	c.input.CursorEnd()
	m.suggest()
}
