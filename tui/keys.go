package tui

import (
	"fmt"
	"slices"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"kassa/kafkaops"
	"kassa/services"
)

// where says in which part of the screen a key works.
type where int

const (
	anywhere where = iota
	inTail
	inBrokers
	inCluster // brokers, and partitions: there an act hits the selected one's leader
	inTimeline
	inViews
	inCheckout
	inAnalytics
	inServices
	inCharts
)

// words names the place, for whoever asks for something that works only there; empty for anywhere.
func (w where) words() string {
	return [...]string{
		anywhere: "", inTail: "a tail (2, 3, 4, O)", inBrokers: "the broker pane (5)", inCluster: "the broker pane (5) or the partitions (6)",
		inTimeline: "the timeline (7)", inViews: "the cluster views (6)", inCheckout: "the checkout pane (1)", inAnalytics: "analytics (9)", inServices: "the services pane (8)",
		inCharts: "the charts (0)",
	}[w]
}

// action is something that a key does. Every key of the screen is in bindings, which drives dispatch, hints and help.
type action struct {
	key.Binding
	in    where
	word  string               // what does the same on the command line, see words; only what opens it has none
	group string               // heading in the help
	when  func(m *Model) bool  // nil: always. Hints show what works here and now.
	why   func(m *Model) error // why it cannot be done now, see whyNot; nil: there is nothing more to say
	do    func(m *Model) tea.Cmd
	hint  bool // worth a place in the hints line
	line  bool // it only opens the command line with its word
}

func bind(keys, shown, does string) key.Binding {
	return key.NewBinding(key.WithKeys(strings.Fields(keys)...), key.WithHelp(shown, does))
}

// bindings is the whole keyboard. The first entry that matches a key in the focused pane wins.
func bindings() []action {
	ready := func(m *Model) bool { return m.backend != nil }
	paused := func(m *Model) bool { t := m.tail(); return t != nil && t.paused }
	list := []action{
		{Binding: bind("K", "K", "kill −9"), in: inCluster, word: "kill", group: "Brokers", hint: true, when: can(canKill), why: cannot(killVerb, canKill), do: ask(killVerb)},
		{Binding: bind("S", "S", "start"), in: inBrokers, word: "start", group: "Brokers", hint: true, when: can(canStart), why: cannot(startVerb, canStart), do: ask(startVerb)},
		{Binding: bind("s", "s", "stop"), in: inCluster, word: "stop", group: "Brokers", hint: true, when: can(canStop), why: cannot(stopVerb, canStop), do: ask(stopVerb)},
		{Binding: bind("p", "p", "pause or resume"), in: inCluster, word: "pause", group: "Brokers", hint: true, when: can(canPause), why: cannot(kafkaops.Pause, canPause), do: ask(kafkaops.Pause)},
		{Binding: bind("r", "r", "restart"), in: inCluster, word: "restart", group: "Brokers", hint: true, when: can(canStop), why: cannot(restartVerb, canStop), do: ask(restartVerb)},
		{Binding: bind("x", "x", "cut or reconnect the network"), in: inCluster, word: "cut", group: "Brokers", hint: true, when: can(canCut), why: cannot(kafkaops.Cut, canCut), do: ask(kafkaops.Cut)},

		{Binding: bind("K", "K", "crash"), in: inServices, word: "crash", group: "Services", hint: true, when: canService(lives), why: cannotService(crashService), do: askService(crashService)},
		{Binding: bind("S", "S", "start"), in: inServices, word: "start", group: "Services", hint: true, when: canService(isStopped), why: cannotService(startService), do: func(m *Model) tea.Cmd { return m.act(startService) }},
		{Binding: bind("s", "s", "stop"), in: inServices, word: "stop", group: "Services", hint: true, when: canService(works), why: cannotService(stopService), do: askService(stopService)},
		{Binding: bind("+ =", "+", "one instance more"), in: inServices, word: "more", group: "Services", hint: true, when: canService(func(services.Stats) bool { return true }), do: func(m *Model) tea.Cmd { return m.scaleService(1) }},
		{Binding: bind("- _", "−", "one less"), in: inServices, word: "less", group: "Services", hint: true, when: canService(func(services.Stats) bool { return true }), do: func(m *Model) tea.Cmd { return m.scaleService(-1) }},
		{Binding: bind("enter", "enter", "details"), in: inServices, word: "open", group: "Services", hint: true, do: (*Model).inspectService},
		{Binding: bind(".", ".", "the same again"), in: inServices, word: "again", group: "Services", hint: true, when: func(m *Model) bool { _, ok := m.selectedService(); return ok && m.staff.last != nil }, do: (*Model).repeatAct},

		{Binding: bind("enter", "enter", "measured"), in: inTimeline, word: "open", group: "View", hint: true, do: (*Model).inspectFault},

		{Binding: bind("space", "space", "pause"), in: inTail, word: "pause", group: "Tails", hint: true, when: func(m *Model) bool { return !paused(m) }, do: (*Model).pauseTail},
		{Binding: bind("f", "f", "follow"), in: inTail, word: "follow", group: "Tails", hint: true, when: paused, do: (*Model).followTail},
		{Binding: bind("space", "space", "follow"), in: inTail, word: "follow", group: "Tails", when: paused, do: (*Model).followTail},
		{Binding: bind("/", "/", "filter"), in: inTail, word: "filter", group: "Tails", hint: true, do: (*Model).openFilter},
		{Binding: bind("enter", "enter", "follow the checkout"), in: inTail, word: "open", group: "Tails", hint: true, when: inFlow, do: (*Model).followSelected},
		{Binding: bind("enter", "enter", "open"), in: inTail, word: "open", group: "Tails", hint: true, when: func(m *Model) bool { return !inFlow(m) }, do: (*Model).inspect},
		{Binding: bind("i", "i", "record"), in: inTail, word: "record", group: "Tails", hint: true, do: (*Model).inspect},
		{Binding: bind("enter", "enter", "details"), in: inBrokers, word: "open", group: "Brokers", do: (*Model).inspectNode},
		{Binding: bind("s", "s", "from an offset or a time"), in: inTail, word: "seek", group: "Tails", hint: true, when: hasLog, do: (*Model).seek},
		{Binding: bind("x", "x", "close, or back to the flow"), in: inTail, word: "close", group: "Tails", hint: true, when: owns, do: (*Model).closePane},
		{Binding: bind("v", "v", "next view"), in: inViews, word: "view", group: "Cluster views", hint: true, do: (*Model).nextView},
		{Binding: bind("enter", "enter", "details"), in: inViews, word: "open", group: "Cluster views", hint: true, when: showing(viewPartitions, viewGroups, viewTopics), do: (*Model).inspectRow},

		{Binding: bind("+ =", "+", "one more"), in: inCheckout, word: "more", group: "Shop", hint: true, when: (*Model).onProduct, do: func(m *Model) tea.Cmd { return m.change(1) }},
		{Binding: bind("- _", "−", "one less"), in: inCheckout, word: "less", group: "Shop", hint: true, when: (*Model).onProduct, do: func(m *Model) tea.Cmd { return m.change(-1) }},
		{Binding: bind("x", "x", "remove"), in: inCheckout, word: "remove", group: "Shop", hint: true, when: (*Model).onProduct, do: (*Model).remove},
		{Binding: bind("space", "space", "pause"), in: inAnalytics, word: "pause", group: "Analytics", hint: true, when: func(m *Model) bool { return !m.sales.paused }, do: (*Model).pauseSales},
		{Binding: bind("f space", "f", "follow"), in: inAnalytics, word: "follow", group: "Analytics", hint: true, when: func(m *Model) bool { return m.sales.paused }, do: (*Model).followSales},
		{Binding: bind("v", "v", "start or last minute"), in: inAnalytics, word: "span", group: "Analytics", hint: true, when: oneSpan, do: (*Model).switchSpan},

		{Binding: bind("d", "d", "delivery"), word: "delivery", group: "Services", when: func(m *Model) bool { return ready(m) && m.backend.Staff != nil && !m.backend.DeliveryFixed }, do: (*Model).askDelivery},
		{Binding: bind("c", "c", "checkout"), word: "checkout", group: "Shop", hint: true, when: ready, do: (*Model).checkout},
		// A hint alone: the digit leads there, and a newcomer on a small screen must see it.
		{Binding: bind("5", "5", "kill a broker"), word: "brokers", hint: true, when: func(m *Model) bool { return ready(m) && !m.focus.breaks(m.view) }},
		{Binding: bind("T", "T", "tour"), word: "tour", group: "View", hint: true, when: func(m *Model) bool { return ready(m) && !m.tour.open }, do: (*Model).toggleTour},
		{Binding: bind("> <", "> <", "in the tour: on and back"), word: "step", group: "View", when: func(m *Model) bool { return m.tour.open }, do: (*Model).tourNext},
		{Binding: bind("b", "b", "load on/off"), word: "load", group: "Shop", hint: true, when: ready, do: (*Model).toggleLoad},
		{Binding: bind("+ =", "+", "more load"), word: "more", group: "Shop", when: ready, do: func(m *Model) tea.Cmd { return m.stepLoad(1) }},
		{Binding: bind("- _", "−", "less load"), word: "less", group: "Shop", when: ready, do: func(m *Model) tea.Cmd { return m.stepLoad(-1) }},
		{Binding: bind("u", "u", "user"), in: inCheckout, word: "user", group: "Shop", hint: true, do: (*Model).renameUser},
		{Binding: bind("B", "B", "a burst of orders"), word: "burst", group: "Shop", when: ready, do: (*Model).sendBurst},
		{Binding: bind("m", "m", "inbox: the mails"), word: "inbox", group: "Shop", when: hasMail, do: (*Model).openInbox},
		{Binding: bind("D", "D", "dead letters"), word: "dead", group: "Shop", when: hasDead, do: (*Model).openDead},
		{Binding: bind("P", "P", "write a record of poison"), word: "poison", group: "Shop", when: hasDead, do: (*Model).poison},
		{Binding: bind("X", "X", "drills"), word: "drills", group: "Brokers", when: hasDrills, do: (*Model).openDrills},
		{Binding: bind("e", "e", "elect preferred"), in: inCluster, word: "elect", group: "Brokers", hint: true, when: hasQuorum, do: askAll(kafkaops.Elect)},
		{Binding: bind("R", "R", "rolling restart"), in: inCluster, word: "rolling", group: "Brokers", hint: true, when: hasQuorum, do: askAll(kafkaops.Rolling)},
		{Binding: bind("C", "C", "the controller"), in: inBrokers, word: "controller", group: "Brokers", hint: true, when: hasQuorum, why: func(*Model) error { return errNoController }, do: (*Model).pointToController},
		{Binding: bind(".", ".", "same fault again"), word: "again", group: "Brokers", hint: true, when: func(m *Model) bool { return m.last.Verb != "" }, do: (*Model).repeat},

		{Binding: bind("F", "F", "find in all tails"), word: "search", group: "Tails", line: true, do: func(m *Model) tea.Cmd { return m.openCommand("search ") }},
		{Binding: bind("n", "n", "next match"), word: "later", group: "Tails", hint: true, when: searching, do: func(m *Model) tea.Cmd { return m.nextMatch(1) }},
		{Binding: bind("N", "N", "match before"), word: "earlier", group: "Tails", hint: true, when: searching, do: func(m *Model) tea.Cmd { return m.nextMatch(-1) }},
		{Binding: bind("E", "E", "export what the pane shows"), word: "export", group: "View", do: exportPane},
		{Binding: bind("t", "t", "topics"), word: "topic", group: "Tails", hint: true, when: hasLog, do: (*Model).openPicker},
		{Binding: bind("O", "O", "the next topic that was opened"), word: "other", group: "Move", when: func(m *Model) bool { return len(m.extra()) > 0 }, do: (*Model).nextTopic},
		{Binding: bind("o", "o", "load options"), word: "options", group: "Shop", hint: true, when: ready, do: (*Model).openLoad},
		{Binding: bind("K s p S r R e C", "5", "brokers: K kills one"), word: "brokers", group: "Brokers", when: notIn(paneBrokers, paneServices), why: onlyBrokers, do: (*Model).pointToBrokers},
		{Binding: bind("j down", "j/↓", "down"), word: "down", group: "Move", do: func(m *Model) tea.Cmd { return m.moveBy(1) }},
		{Binding: bind("k up", "k/↑", "up"), word: "up", group: "Move", do: func(m *Model) tea.Cmd { return m.moveBy(-1) }},
		{Binding: bind("pgdown ctrl+f", "pgdn", "page down"), word: "pagedown", group: "Move", do: func(m *Model) tea.Cmd { return m.moveBy(m.page()) }},
		{Binding: bind("pgup ctrl+b", "pgup", "page up"), word: "pageup", group: "Move", do: func(m *Model) tea.Cmd { return m.moveBy(-m.page()) }},
		{Binding: bind("g home", "g", "first"), word: "first", group: "Move", do: func(m *Model) tea.Cmd { return m.moveBy(-1 << 30) }},
		{Binding: bind("G end", "G", "last"), word: "last", group: "Move", do: func(m *Model) tea.Cmd { return m.moveBy(1 << 30) }},
		{Binding: bind("tab right l", "tab", "next pane"), word: "next", group: "Move", do: func(m *Model) tea.Cmd { return m.nextPane(1) }},
		{Binding: bind("shift+tab left h", "shift+tab", "previous pane"), word: "previous", group: "Move", do: func(m *Model) tea.Cmd { return m.nextPane(-1) }},
		{Binding: bind("1 2 3 4 5 6 7 8 9 0", "0-9", "go to a pane"), word: "pane", group: "Move", do: nil},
		{Binding: bind("a", "a", "analytics"), word: "analytics", group: "Move", do: (*Model).goToAnalytics},
		{Binding: bind("z", "z", "zoom"), word: "zoom", group: "View", hint: true, do: (*Model).toggleZoom},
		{Binding: bind("W", "W", "other brokers"), word: "clusters", hint: true, when: failed}, // a hint alone
		{Binding: bind("r", "r", "try again"), word: "retry", group: "Brokers", hint: true, when: failed, do: (*Model).tryAgain},
		{Binding: bind("W", "W", "where the brokers come from, and others"), word: "clusters", group: "View", when: canSwitch, do: (*Model).openClusters},
		{Binding: bind("L", "L", "kassa's log"), word: "log", group: "View", do: (*Model).openLog},
		{Binding: bind("M", "M", "mouse on or off"), word: "mouse", group: "View", do: (*Model).toggleMouse},
		{Binding: bind("y", "y", "copy the selected record"), in: inTail, word: "copy", group: "Tails", do: (*Model).copyRecord},
		{Binding: bind(":", ":", "command"), group: "View", hint: true, do: func(m *Model) tea.Cmd { return m.openCommand("") }},
		{Binding: bind("esc", "esc", "back"), word: "back", group: "View", do: (*Model).back},
		{Binding: bind("?", "?", "help"), word: "help", group: "View", hint: true, do: (*Model).openHelp},
		{Binding: bind("ctrl+z", "ctrl+z", "to the shell; fg comes back"), word: "shell", group: "View", do: (*Model).suspend},
		{Binding: bind("q ctrl+c", "q", "quit"), word: "quit", group: "View", hint: true, do: func(m *Model) tea.Cmd { return tea.Quit }},
	}
	return slices.Insert(list, len(list)-3, slices.Concat(partsBindings(), chartsBindings(), lookBindings())...) // help and quit are the last hints
}

// here says that the action works in the focused pane, now.
func (a action) here(m *Model) bool { return a.in.has(m) && (a.when == nil || a.when(m)) }

// has says that the focused pane is such a place.
func (w where) has(m *Model) bool {
	switch w {
	case inTail:
		return m.focus.isTail()
	case inBrokers:
		return m.focus == paneBrokers
	case inCluster:
		return m.focus == paneBrokers || m.focus == panePartitions && m.view == viewPartitions
	case inTimeline:
		return m.focus == paneTimeline
	case inServices:
		return m.focus == paneServices
	case inViews:
		return m.focus == panePartitions
	case inCheckout:
		return m.focus == paneCheckout
	case inAnalytics:
		return m.focus == paneAnalytics
	case inCharts:
		return m.focus == paneCharts
	}
	return true
}

func notIn(panes ...paneID) func(*Model) bool {
	return func(m *Model) bool { return !slices.Contains(panes, m.focus) && m.backend != nil }
}

// dispatch finds what a key does in the focused pane.
func (m *Model) dispatch(k tea.KeyPressMsg) tea.Cmd {
	if p := paneOf(k.String()); p != 0 {
		m.focusOn(p)
		return nil
	}
	for _, a := range m.keys {
		if a.do != nil && key.Matches(k, a.Binding) && a.here(m) {
			return a.do(m)
		}
	}
	for _, a := range m.keys {
		if a.do != nil && key.Matches(k, a.Binding) && a.in.has(m) {
			m.say(true, a.whyNot(m).Error())
			break
		}
	}
	return nil
}

// whyNot says why an action that belongs here cannot be done now.
func (a action) whyNot(m *Model) error {
	if a.why != nil {
		if err := a.why(m); err != nil {
			return err
		}
	}
	if m.backend == nil {
		return errNotReady
	}
	return fmt.Errorf("%s is not possible now", a.word)
}

const filterNote = "   enter keeps it, esc clears it"

// filterWidth is what a filter has of a line of w cells.
func filterWidth(w int) int { return max(w-len(filterNote)-3, 10) }

// hints is the last line: the keys that work here and now, as many as fit, quit always among them.
func (m *Model) hints(w int) string {
	s := m.styles
	onTop := m.question != nil || m.overlay != nil // it has the keys, as in press
	switch {
	case onTop:
	case m.field != nil:
		return m.field.line(s, w)
	case m.command != nil:
		return m.command.line(s, w)
	case m.filtering:
		m.filter.SetWidth(filterWidth(w))
		return fit(" "+m.filter.View()+s.Dim.Render(filterNote), w)
	}
	if m.notice.text != "" {
		style := s.Text
		if m.notice.bad {
			style = s.Bad
		}
		return fit(" "+style.Render(m.notice.text), w)
	}
	if onTop {
		var shown []string
		for _, a := range m.hintsOnTop() {
			shown = append(shown, a.hintText(s))
		}
		return fit(" "+strings.Join(shown, "  "), w)
	}
	list := m.hintList()
	room := w - 1
	always := list[len(list)-2:] // help and quit
	for _, a := range always {
		room -= a.hintWidth()
	}
	var shown []string
	for _, a := range list[:len(list)-2] {
		if n := a.hintWidth(); n <= room {
			shown, room = append(shown, a.hintText(s)), room-n
		}
	}
	for _, a := range always {
		shown = append(shown, a.hintText(s))
	}
	return fit(" "+strings.Join(shown, "  "), w)
}

// hintsOnTop are the keys that work while something is on top of the panes. What only that knows, such as how to select in a list, it says itself.
func (m *Model) hintsOnTop() (list []action) {
	add := func(key, does string) { list = append(list, action{Binding: bind(key, key, does)}) }
	switch {
	case m.question != nil || m.asking():
		add("y", "do it")
		add("n", "leave it")
	default:
		if m.canBuyOnTop() {
			add("c", "checkout")
		}
		if m.overlay.copy != "" {
			add("y", "copy")
		}
		if m.canExportOnTop() {
			add("E", "export")
		}
		add("esc", "back")
	}
	add("ctrl+c", "quit")
	return list
}

// canBuyOnTop says that c checks out while an overlay is open: it is no letter of a text there, and no question waits for its answer.
func (m *Model) canBuyOnTop() bool { return m.backend != nil && !m.pickerOpen() && !m.asking() }

// asking says that what is open in an overlay waits for yes or no.
func (m *Model) asking() bool {
	o := m.overlay
	return o != nil && (o.asks || o == m.drills.overlay && m.drills.asking || o == m.dead.overlay && m.dead.asking)
}

func (m *Model) hintList() []action {
	var list []action
	for _, a := range m.keys {
		if a.hint && a.here(m) {
			list = append(list, a)
		}
	}
	return list
}

func (a action) hintText(s Styles) string {
	h := a.Help()
	return s.Key.Render(h.Key) + " " + s.Dim.Render(h.Desc)
}

// hintWidth is what a hint takes, with the space before it.
func (a action) hintWidth() int { return ansi.StringWidth(a.Help().Key+" "+a.Help().Desc) + 2 }
