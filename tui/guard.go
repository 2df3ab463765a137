package tui

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// A mistake in the screen's own code must not end the program: brokers and orders would go with it. What panics is logged with its stack, once, and
// shown as a sentence in its place; everything else lives on.

// mishapsKept bounds how many different mistakes are told apart.
const mishapsKept = 100

// mishap files what a recover returned.
func (m *Model) mishap(where string, what any) {
	id := where + ": " + fmt.Sprint(what)
	if m.mishaps == nil {
		m.mishaps = map[string]bool{}
	}
	if m.mishaps[id] || len(m.mishaps) >= mishapsKept {
		return
	}
	m.mishaps[id] = true
	log := m.cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	log.Error("a mistake in the screen", "where", where, "panic", fmt.Sprint(what), "stack", string(debug.Stack()))
}

// Update takes one message. It does no I/O and never waits.
func (m *Model) Update(msg tea.Msg) (model tea.Model, cmd tea.Cmd) {
	defer func() {
		if what := recover(); what != nil {
			m.held = false
			m.mishap(fmt.Sprintf("a %T", msg), what)
			m.dirtyAll()
			m.say(true, "a mistake in kassa; the cluster and the orders go on. L shows its log")
			model, cmd = m, m.rearm(msg)
		}
	}()
	if msg, ok := msg.(switchMsg); ok {
		return m.switchTo(msg.provider)
	}
	_, cmd = m.update(msg)
	m.lookTour()
	return m, cmd
}

// rearm goes on waiting for what a message was one of, so that a mistake costs that message and no more.
func (m *Model) rearm(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case bootMsg:
		return m.waitBoot()
	case stateMsg:
		return m.waitState()
	case batchMsg:
		return m.waitBatch()
	case ownBatchMsg:
		return m.waitOwn(msg.number)
	case tickMsg:
		return tick()
	case readyMsg:
		if msg.backend != nil {
			return tea.Batch(m.waitState(), m.waitBatch())
		}
	}
	return nil
}

// drawn is what draw gives, or w cells that say that it cannot be drawn.
func (m *Model) drawn(what string, w int, draw func() string) (line string) {
	defer func() {
		if v := recover(); v != nil {
			m.mishap(what, v)
			line = fit(" "+m.styles.Bad.Render(cannotDraw(what)), w)
		}
	}()
	return draw()
}

// drawnBlock is drawn for what has several lines: w by h cells, or of any size for 0.
func (m *Model) drawnBlock(what string, w, h int, draw func() []string) (lines []string) {
	defer func() {
		if v := recover(); v != nil {
			m.mishap(what, v)
			if w <= 0 {
				w = max(m.width-6, 10)
			}
			var text []string
			for _, l := range strings.Split(ansi.Wordwrap(cannotDraw(what), max(w-4, 1), ""), "\n") {
				text = append(text, " "+m.styles.Bad.Render(l))
			}
			if h <= 0 {
				h = len(text) + 2
			}
			lines = box(m.styles.Frame, "", "", text, w, h)
		}
	}()
	return draw()
}

func cannotDraw(what string) string {
	return what + " cannot be drawn, by a mistake in kassa; L shows its log"
}
