package tui

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// Search across the tails: what holds a text is marked in each of them, as it comes too, and n and N go through it in order of time. It looks at what the
// tails hold, and says so: the log has more.

// search is the text that is looked for.
type search struct {
	text string // empty: nothing is
	at   match  // where n and N are; its pane is 0: nowhere yet
}

// match is a row that holds the text.
type match struct {
	pane paneID
	seq  int64
	at   time.Time
}

func (m match) compare(o match) int {
	return cmp.Or(m.at.Compare(o.at), cmp.Compare(m.pane, o.pane), cmp.Compare(m.seq, o.seq))
}

// matchMark stands before a row that holds the text: it is not told by its colour alone.
const matchMark = "◆"

// heldTails are all tails, those of the flow too while their panes show something else.
func (m *Model) heldTails() []*tailPane {
	list := m.flow()
	for _, t := range m.tails {
		if t.own != nil {
			list = append(list, t)
		}
	}
	return list
}

// searchFor looks for a text; nothing ends it.
func (m *Model) searchFor(text string) {
	m.search = search{text: text}
	for _, t := range m.heldTails() {
		t.look(text)
	}
	if text == "" {
		m.say(false, "nothing is searched for any more")
		return
	}
	m.say(false, m.searchWords("n and N go through them, esc ends it"))
}

// searchWords is how much was found.
func (m *Model) searchWords(more string) string {
	hits, records := 0, 0
	for _, p := range m.tailPanes() {
		t := m.tails[p]
		hits += t.hits()
		for r := range t.held() {
			if r.mark == "" {
				records++
			}
		}
	}
	what := count(hits) + " matches"
	switch hits {
	case 0:
		what, more = "no match", "the log may have some"
	case 1:
		what = "1 match"
	}
	return fmt.Sprintf("%q: %s in %s held on the screen; %s", m.search.text, what, plural(records, "record"), more)
}

// look marks the rows that hold the text, from now on as they come.
func (t *tailPane) look(text string) {
	t.needle = []byte(strings.ToLower(text))
	t.ring.mark(t.matches)
	if t.still != nil {
		t.still.mark(t.matches)
	}
}

// matches says that a row holds what is searched for.
func (t *tailPane) matches(r *row) bool {
	return len(t.needle) > 0 && r.mark == "" && (holds(r.record.Value, t.needle) || holds(r.record.Key, t.needle))
}

// nextMatch goes to the next match by time, or the one before; at first to the newest.
func (m *Model) nextMatch(by int) tea.Cmd {
	var all []match
	for _, p := range m.tailPanes() {
		t := m.tails[p]
		if t.hits() == 0 {
			continue
		}
		filter := []byte(strings.ToLower(t.filter))
		for r := range t.held() {
			if r.hit && (len(filter) == 0 || holds(r.record.Value, filter) || holds(r.record.Key, filter)) { // what a filter hides cannot be gone to
				all = append(all, match{p, r.seq, r.at})
			}
		}
	}
	if len(all) == 0 {
		m.say(false, m.searchWords(""))
		return nil
	}
	slices.SortFunc(all, match.compare)
	i, found := slices.BinarySearchFunc(all, m.search.at, match.compare)
	switch {
	case m.search.at.pane == 0:
		i = len(all) - 1
	case by < 0:
		i--
	case found:
		i++
	}
	around := ""
	if i < 0 || i >= len(all) {
		around = ", from the other end"
	}
	i = (i + len(all)) % len(all)
	to := all[i]
	m.search.at = to
	m.focusOn(to.pane)
	m.tails[to.pane].show(to.seq)
	m.say(false, fmt.Sprintf("match %s of %s%s, %s: %q in what is held on the screen", count(i+1), count(len(all)), around, to.at.Format("15:04:05.000"), m.search.text))
	return nil
}

// show stops at a row.
func (t *tailPane) show(seq int64) {
	t.pause()
	if t.still != nil && seq >= t.still.next {
		t.still = t.ring.still()
	}
	t.cursor = seq
}

func searching(m *Model) bool { return m.search.text != "" }

func searchWord(m *Model, rest string) (tea.Cmd, error) {
	m.searchFor(rest)
	return nil, nil
}

// lit is text, which is safe to show, with what is searched for set off.
func lit(text string, needle []byte, plain, found ink) string {
	if len(needle) == 0 {
		return plain.Render(text)
	}
	lower := []byte(strings.ToLower(text))
	if len(lower) != len(text) { // a letter whose small form is longer: positions would be others
		return plain.Render(text)
	}
	var b strings.Builder
	for {
		i := bytes.Index(lower, needle)
		if i < 0 {
			break
		}
		b.WriteString(plain.Render(text[:i]))
		b.WriteString(found.Render(text[i : i+len(needle)]))
		text, lower = text[i+len(needle):], lower[i+len(needle):]
	}
	b.WriteString(plain.Render(text))
	return b.String()
}

// litFit is lit in exactly w cells.
func litFit(text string, w int, needle []byte, plain, found ink) string {
	cut := ansi.Truncate(text, max(w, 0), "…")
	return lit(cut, needle, plain, found) + strings.Repeat(" ", max(w-ansi.StringWidth(cut), 0))
}
