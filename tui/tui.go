// Package tui is the screen. It draws what the rooms below hand it and sends back what a person wants done; it opens no
// connection, reads no topic and decides nothing about the cluster. One Bubble Tea model owns plain panes: each has a file of its own.
package tui

import (
	"context"
	"fmt"
	"strings"
	"time"

	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
	"kassa/kafkaops/watch"
	"kassa/services/events"
)

// Config is what the screen needs before there is a cluster.
type Config struct {
	// Start brings the cluster and the shop up. It runs beside the screen and reports how far it is; when it fails, the
	// program ends and Err returns why.
	Start     func(ctx context.Context, progress func(kafkaops.Progress)) (*Backend, error)
	Catalogue Catalogue
	LogFile   string
	Mouse     bool
	LoadRate  int              // orders a second that b turns on, at first
	Now       func() time.Time // nil: time.Now
}

// Model is the screen's state. All of it belongs to Bubble Tea's goroutine.
type Model struct {
	ctx    context.Context
	cfg    Config
	now    func() time.Time
	styles Styles
	keys   []action

	width, height int
	layout        layout
	focus         paneID
	zoomed        bool
	mouse         bool
	cache         map[paneID][]string // drawn panes; a missing one is drawn anew
	frame         string              // the last whole frame
	held          bool                // the last message changed nothing that cannot wait for the next: View gives frame again
	batchAt       time.Time           // when records last came

	boot     kafkaops.Progress
	progress chan kafkaops.Progress
	turns    int
	backend  *Backend
	err      error

	state    *watch.State
	settled  bool // every broker was known once: what changes from then on is news
	tails    map[paneID]*tailPane
	figures  Figures
	series   map[string]*series // by service: how it went lately
	sparked  time.Time
	timeline timeline
	faults   []drill.Timeline // as measured, oldest first
	marked   time.Time        // the last of faults that is marked in the tails
	open     bool             // the last of faults was not over yet
	acting   int              // faults under way
	stalled  string           // why writes cannot go on; empty while they can
	byRole   bool             // the selected broker stands for whoever leads the quorum

	catalogue Catalogue
	logFile   string
	lastOrder lastCheckout
	loadOn    bool
	loadStep  int

	nodeAt, partAt, timeAt int
	view                   view // of pane 6
	groupAt, voterAt       int

	last      kafkaops.Fault  // the last fault, for .
	question  *kafkaops.Fault // asked and not answered
	overlay   *overlay
	filter    textinput.Model
	filtering bool
	notice    notice
}

// notice is a sentence in the place of the hints, for a while.
type notice struct {
	text  string
	bad   bool
	until time.Time
}

// noticeFor is how long a notice stays.
const noticeFor = 5 * time.Second

// New makes the screen. It runs until ctx ends or a person quits.
func New(ctx context.Context, cfg Config) *Model {
	m := &Model{
		ctx: ctx, cfg: cfg, now: cfg.Now, styles: newStyles(true), focus: paneCheckout, mouse: cfg.Mouse,
		cache: map[paneID][]string{}, catalogue: cfg.Catalogue, logFile: cfg.LogFile,
		progress: make(chan kafkaops.Progress, 1),
		tails:    map[paneID]*tailPane{},
		series:   map[string]*series{},
		filter:   textinput.New(),
		keys:     bindings(),
	}
	if m.now == nil {
		m.now = time.Now
	}
	for i, t := range events.Topics() {
		m.tails[panePayment+paneID(i)] = &tailPane{topic: t}
	}
	for i, r := range loadSteps {
		if r <= cfg.LoadRate {
			m.loadStep = i
		}
	}
	m.filter.Prompt = "/"
	m.filter.CharLimit = 200
	return m
}

// Err is why the program could not go on; nil after an ordinary end.
func (m *Model) Err() error { return m.err }

// Init starts the cluster beside the screen.
func (m *Model) Init() tea.Cmd {
	return tea.Batch(tea.RequestBackgroundColor, m.start(), m.waitBoot(), tick())
}

// Update takes one message. It does no I/O and never waits.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	m.held = false
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		m.relayout()
	case tea.BackgroundColorMsg:
		m.styles = newStyles(msg.IsDark())
		m.relayout()
	case tea.KeyPressMsg:
		return m, m.press(msg)
	case tea.PasteMsg:
		if m.filtering {
			var cmd tea.Cmd
			m.filter, cmd = m.filter.Update(msg)
			m.applyFilter()
			return m, cmd
		}
	case tea.MouseClickMsg:
		if p := m.layout.at(msg.X, msg.Y); p != 0 && m.overlay == nil && m.question == nil {
			m.focusOn(p)
			m.clickRow(p, msg.Y)
		}
	case tea.MouseWheelMsg:
		return m, m.wheel(msg)

	case bootMsg:
		m.boot, m.turns = kafkaops.Progress(msg), m.turns+1
		m.dirty(paneBrokers)
		return m, m.waitBoot()
	case readyMsg:
		return m, m.ready(msg)
	case stateMsg:
		m.observe(msg.state)
		return m, m.waitState()
	case batchMsg:
		m.addBatch(msg)
		return m, m.waitBatch()
	case tickMsg:
		m.tick()
		// While records flow their next batch is a moment away, and shows what the tick changed: a frame less to draw.
		m.held = m.now().Sub(m.batchAt) < tickEvery
		return m, tick()
	case checkoutMsg:
		if msg.number == m.lastOrder.number {
			m.lastOrder.receipt, m.lastOrder.err, m.lastOrder.done = msg.receipt, msg.err, true
			m.dirty(paneCheckout)
		}
	case faultDoneMsg:
		m.faultDone(msg)
		m.dirty(paneTimeline)
	case logMsg:
		m.showLog(msg)
	default:
		if m.filtering { // the cursor of the text field
			var cmd tea.Cmd
			m.filter, cmd = m.filter.Update(msg)
			return m, cmd
		}
	}
	return m, nil
}

// press gives a key to whatever has the keyboard: a question, an overlay, the filter, else the panes.
func (m *Model) press(k tea.KeyPressMsg) tea.Cmd {
	m.notice.text = ""
	m.dirtyAll()
	switch {
	case m.question != nil:
		return m.questionKey(k)
	case m.overlay != nil:
		return m.overlayKey(k)
	case m.filtering:
		return m.filterKey(k)
	}
	return m.dispatch(k)
}

// ready is when there is a cluster and a shop.
func (m *Model) ready(msg readyMsg) tea.Cmd {
	if msg.err != nil {
		m.err = msg.err
		return tea.Quit
	}
	m.backend = msg.backend
	m.dirtyAll()
	if m.backend.Note != "" {
		m.say(false, m.backend.Note)
		m.notice.until = m.now().Add(3 * noticeFor)
	}
	return tea.Batch(m.waitState(), m.waitBatch())
}

// observe takes a new picture of the cluster and tells the timeline what has changed.
func (m *Model) observe(s *watch.State) {
	// That brokers come to be known when the program starts is no news.
	known := func(s *watch.State) bool {
		return s.Quorum.Known && s.Count(watch.Unknown)+s.Count(watch.Starting) == 0 && len(s.Partitions) > 0
	}
	changes := watch.Diff(m.state, s)
	m.settled = m.settled || m.state != nil && (known(m.state) || m.last.Verb != "")
	if m.settled && !m.near(s.At) {
		m.timeline.observe(changes, s.At)
	}
	first := m.state == nil
	m.state = s
	if m.held = len(changes) == 0 && !first; m.held {
		return // ages and log ends are the tick's
	}
	m.refreshFaults()
	m.stalled = s.Stalled()
	m.nodeAt = max(0, min(m.nodeAt, len(s.Nodes)-1))
	m.partAt = max(0, min(m.partAt, len(s.Partitions)-1))
	m.dirty(paneCheckout, paneBrokers, panePartitions, paneTimeline)
}

func (m *Model) addBatch(msg batchMsg) {
	m.batchAt = m.now()
	for p, t := range m.tails {
		had := t.ring.next
		records := msg.Records[:0:0]
		for _, r := range msg.Records {
			if r.Topic == t.topic {
				records = append(records, r)
			}
		}
		t.add(records, msg.Topics[t.topic], msg.At)
		if t.ring.next != had {
			m.dirty(p)
		}
	}
}

// tick is the slow clock of the screen: figures, ages, notices.
func (m *Model) tick() {
	now := m.now()
	if m.notice.text != "" && now.After(m.notice.until) {
		m.notice.text = ""
	}
	if m.backend == nil {
		return
	}
	m.refreshFaults()
	m.figures = m.backend.Shop.Figures()
	m.of(payments).rate.add(now, m.figures.Accepted)
	for _, svc := range m.figures.Services {
		m.of(svc.Name).rate.add(now, svc.Handled)
	}
	if now.Sub(m.sparked) >= time.Second {
		m.sparked = now
		for _, v := range m.series {
			v.spark.add(v.rate.value(now))
		}
	}
	m.dirty(paneCheckout, panePayment, paneOrder, paneEmail, paneBrokers, panePartitions)
}

func (m *Model) say(bad bool, text string) {
	m.notice = notice{text: safe(text), bad: bad, until: m.now().Add(noticeFor)}
}

// dirty has these panes drawn anew.
func (m *Model) dirty(panes ...paneID) {
	for _, p := range panes {
		delete(m.cache, p)
	}
}

func (m *Model) dirtyAll() { clear(m.cache) }

func (m *Model) relayout() {
	zoomed := paneID(0)
	if m.zoomed {
		zoomed = m.focus
	}
	m.layout = newLayout(m.width, m.height, zoomed)
	if _, ok := m.layout[m.focus]; !ok {
		m.focus = paneCheckout
	}
	m.dirtyAll()
}

func (m *Model) focusOn(p paneID) {
	if _, ok := m.layout[p]; !ok && !m.zoomed {
		m.say(false, "that pane needs a larger screen: z zooms the others")
		return
	}
	m.focus = p
	m.relayout()
}

func (m *Model) nextPane(by int) tea.Cmd {
	p := m.focus
	for range lastPane {
		p = (p-1+paneID(by)+lastPane)%lastPane + 1
		if _, ok := m.layout[p]; ok || m.zoomed {
			break
		}
	}
	m.focusOn(p)
	return nil
}

func (m *Model) toggleZoom() tea.Cmd {
	m.zoomed = !m.zoomed
	m.relayout()
	return nil
}

func (m *Model) toggleMouse() tea.Cmd {
	m.mouse = !m.mouse
	m.say(false, map[bool]string{true: "mouse on: click focuses, the wheel scrolls", false: "mouse off: the terminal's own selection works"}[m.mouse])
	return nil
}

// back undoes the newest of: filter, pause, zoom.
func (m *Model) back() tea.Cmd {
	switch t := m.tail(); {
	case t != nil && t.filter != "":
		t.filter = ""
	case t != nil && t.paused:
		t.follow()
	case m.zoomed:
		return m.toggleZoom()
	}
	return nil
}

// tail is the focused topic pane, nil when another pane has the keys.
func (m *Model) tail() *tailPane { return m.tails[m.focus] }

func (m *Model) pauseTail() tea.Cmd {
	m.tail().pause()
	return nil
}

func (m *Model) followTail() tea.Cmd {
	m.tail().follow()
	return nil
}

func (m *Model) openFilter() tea.Cmd {
	m.filtering = true
	m.filter.SetValue(m.tail().filter)
	m.filter.CursorEnd()
	return m.filter.Focus()
}

func (m *Model) filterKey(k tea.KeyPressMsg) tea.Cmd {
	switch k.String() {
	case "enter":
		m.filtering = false
	case "esc":
		m.filtering = false
		m.filter.SetValue("")
	case "ctrl+c":
		return tea.Quit
	default:
		var cmd tea.Cmd
		m.filter, cmd = m.filter.Update(k)
		m.applyFilter()
		return cmd
	}
	m.filter.Blur()
	m.applyFilter()
	return nil
}

func (m *Model) applyFilter() {
	if t := m.tail(); t != nil {
		t.filter = m.filter.Value()
		m.dirty(m.focus)
	}
}

// page is the number of rows that a page moves by.
func (m *Model) page() int { return max(m.layout[m.focus].h-3, 1) }

// moveBy moves the selection of the focused pane.
func (m *Model) moveBy(n int) tea.Cmd {
	clamp := func(v, size int) int { return max(0, min(v+n, size-1)) }
	switch {
	case m.focus.isTail():
		m.tail().move(n)
	case m.focus == paneBrokers && m.state != nil:
		m.nodeAt, m.byRole = clamp(m.nodeAt, len(m.state.Nodes)), false
	case m.focus == panePartitions && m.state != nil:
		m.moveInView(n)
	case m.focus == paneTimeline:
		m.timeAt = clamp(m.timeAt, len(m.acts()))
	}
	return nil
}

func (m *Model) wheel(msg tea.MouseWheelMsg) tea.Cmd {
	by := 3
	if msg.Button == tea.MouseWheelUp {
		by = -3
	}
	if m.overlay != nil {
		m.overlay.top += by
		return nil
	}
	if p := m.layout.at(msg.X, msg.Y); p != 0 && m.question == nil {
		m.focusOn(p)
		if t := m.tail(); t == nil || t.paused || by < 0 {
			return m.moveBy(by)
		}
	}
	return nil
}

// clickRow selects the broker under the mouse.
func (m *Model) clickRow(p paneID, y int) {
	if row := y - m.layout[p].y - 1; p == paneBrokers && m.state != nil && row >= 0 && row < len(m.state.Nodes) {
		m.nodeAt = row
	}
}

// View draws the screen from the panes, those that have not changed as they were drawn before.
func (m *Model) View() tea.View {
	v := tea.View{AltScreen: true, WindowTitle: "kassa"}
	if m.mouse {
		v.MouseMode = tea.MouseModeCellMotion
	}
	switch {
	case m.width == 0:
		return v
	case m.width < MinWidth || m.height < MinHeight:
		v.Content = fit(fmt.Sprintf("kassa needs %d×%d; this is %d×%d", MinWidth, MinHeight, m.width, m.height), m.width)
		return v
	}
	if m.held && m.frame != "" {
		v.Content = m.frame
		return v
	}
	lines := make([]string, 0, m.height)
	lines = append(lines, m.header(m.width))
	lines = append(lines, m.body()...)
	lines = append(lines, m.hints(m.width))
	switch {
	case m.question != nil:
		v.Content = onTop(lines, m.renderQuestion(*m.question, m.width), m.width, m.height)
	case m.overlay != nil:
		if m.overlay.live != nil {
			m.overlay.lines = m.overlay.live()
		}
		v.Content = onTop(lines, m.overlay.render(m.styles, m.width, m.height), m.width, m.height)
	default:
		v.Content = strings.Join(lines, "\n")
	}
	m.frame = v.Content
	return v
}

// body puts the panes into the lines between header and hints. Panes tile the screen, so a line is its panes from left to right.
func (m *Model) body() []string {
	type piece struct {
		x    int
		text string
	}
	rows := make([][]piece, m.height-2)
	for p := paneCheckout; p <= lastPane; p++ {
		r, ok := m.layout[p]
		if !ok {
			continue
		}
		for i, text := range m.pane(p, r) {
			if y := r.y - 1 + i; y < len(rows) {
				rows[y] = append(rows[y], piece{r.x, text})
			}
		}
	}
	lines := make([]string, len(rows))
	var b strings.Builder
	for y, row := range rows {
		b.Reset()
		for len(row) > 0 {
			left := 0
			for i := range row {
				if row[i].x < row[left].x {
					left = i
				}
			}
			b.WriteString(row[left].text)
			row = append(row[:left], row[left+1:]...)
		}
		lines[y] = b.String()
	}
	return lines
}

// pane draws one pane with its frame.
func (m *Model) pane(p paneID, r rect) []string {
	if lines, ok := m.cache[p]; ok {
		return lines
	}
	s, focused := m.styles, p == m.focus
	border := s.Frame
	if focused {
		border = s.Focus
	}
	w, h := r.w-2, r.h-2
	title := s.Dim.Render(fmt.Sprint(int(p))) + " "
	status := ""
	var lines []string
	switch p {
	case paneCheckout:
		title += s.Strong.Render("checkout")
		lines = m.renderCheckout(w, h)
	case paneBrokers:
		title += s.Strong.Render("brokers")
		status = m.stateAge()
		lines = m.renderBrokers(w, h, focused)
	case panePartitions:
		status = m.viewStatus()
		title += m.viewTitle(w - 6 - ansi.StringWidth(status))
		lines = m.renderView(w, h, focused)
	case paneTimeline:
		title += s.Strong.Render("timeline")
		lines = m.renderTimeline(w, h)
	default:
		t := m.tails[p]
		title, status = t.title(p, s, w), t.status(s, m.now(), w)
		lines = t.render(s, w, h, focused, m.backend != nil)
	}
	if focused && m.zoomed {
		status += s.Accent.Render(" zoom")
	}
	lines = box(border, title, status, lines, r.w, r.h)
	m.cache[p] = lines
	return lines
}

// stateAge says how old the picture is, once that is worth knowing.
func (m *Model) stateAge() string {
	if m.state == nil {
		return ""
	}
	newest := time.Time{}
	for _, n := range m.state.Nodes {
		if n.Seen.After(newest) {
			newest = n.Seen
		}
	}
	if newest.IsZero() {
		return m.styles.Warn.Render("no broker has answered yet")
	}
	if old := m.now().Sub(newest); old > pictureOld {
		return m.styles.Warn.Render(age(old) + " old")
	}
	return ""
}
