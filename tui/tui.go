// Package tui is the screen. It draws what the rooms below hand it and sends back what a person wants done; it opens no
// connection, reads no topic and decides nothing about the cluster. One Bubble Tea model owns plain panes: each has a file of its own.
package tui

import (
	"context"
	"fmt"
	"image/color"
	"log/slog"
	"slices"
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
	Start func(ctx context.Context, progress func(kafkaops.Progress)) (*Backend, error)
	// Providers looks at the machine for where brokers can come from, which may take seconds; nil if there is no choice.
	Providers func(ctx context.Context) []Provider
	// Switch takes the brokers and the shop down that Start or Switch brought up, or may still be bringing up, and brings others up. It is needed with Providers.
	Switch    func(ctx context.Context, provider string, progress func(kafkaops.Progress)) (*Backend, error)
	Catalogue []events.Item // what the cart of pane 1 is filled from
	CartLimit int           // items that a cart holds
	LogFile   string
	ExportDir string       // where files go that are named without a directory; empty: the working directory
	Log       *slog.Logger // mistakes in the screen; nil for none
	Mouse     bool
	Alone     bool // no shell waits behind the program: ctrl+z has nowhere to go
	LoadRate  int  // orders a second that b turns on, at first
	Look      Look // how the screen looks at first
	// KeepLook keeps a look that was chosen for the next run. It may wait: it is called beside the screen, and never twice at a time. Nil: it is not kept.
	KeepLook func(Look) error
	LookFile string           // where it is kept, for who asks
	LookNote string           // why the last look was not found as it was left; may be empty
	Now      func() time.Time // nil: time.Now
}

// Model is the screen's state. All of it belongs to Bubble Tea's goroutine.
type Model struct {
	life   context.Context // of the screen
	ctx    context.Context // of what is asked of the present brokers and their shop
	end    context.CancelFunc
	cfg    Config
	now    func() time.Time
	styles Styles
	keys   []action
	words  []word
	said   []string // lines of the command line that were done, oldest first

	look                   Look
	unkept                 int // looks that were chosen since the last one that is being kept
	ground                 ground
	background, foreground color.Color // that the terminal takes on; nil: its own
	lookAt                 int         // the selected line of the menu
	content                content     // what the layout was made for

	width, height int
	layout        layout
	focus         paneID
	zoomed        bool
	cameFrom      paneID // where back leads from a pane that was zoomed because the screen has no place for it; else 0
	mouse         bool
	cache         map[paneID][]string // drawn panes; a missing one is drawn anew
	frame         string              // the last whole frame
	framed        time.Time           // when it was drawn
	held          bool                // the last message changed nothing that cannot wait for the next: View gives frame again
	batchAt       time.Time           // when records last came

	boot     kafkaops.Progress
	progress chan kafkaops.Progress
	turns    int
	backend  *Backend
	err      error

	state    *watch.State
	settled  bool                 // every broker was known once: what changes from then on is news
	tails    map[paneID]*tailPane // what each pane of a topic shows
	flowing  [3]*tailPane         // of the flow's topics, also while their panes show something else
	ownTails int                  // opened so far
	figures  Figures
	series   map[string]*series // by service: how it went lately
	sparked  time.Time
	timeline timeline
	timeAt   int              // the selected row of its pane, from the newest on
	timeOn   actID            // that row; newer ones come before it
	faults   []drill.Timeline // as measured, oldest first
	marked   time.Time        // the last of faults that is marked in the tails
	open     bool             // the last of faults was not over yet
	acting   int              // faults under way
	stalled  string           // why writes cannot go on; empty while they can
	byRole   bool             // the selected broker stands for whoever leads the quorum

	staff     staffState
	cart      cart
	logFile   string
	lastOrder lastCheckout
	load      loadState

	nodeAt, partAt   int
	parts            partList
	topicAt          int
	view             view // of pane 6
	groupAt, voterAt int
	sales            sales
	clusters         clusters
	charts           chartState
	past             history
	offsets          offsets

	last      kafkaops.Fault  // the last fault, for .
	question  *kafkaops.Fault // asked and not answered
	overlay   *overlay
	inbox     inbox
	dead      deadState
	drills    drillState
	picker    picker
	search    search
	follow    follow
	filter    textinput.Model
	filtering bool
	field     *field       // nil: nothing is asked for
	command   *commandLine // nil: it is closed
	notice    notice
	mishaps   map[string]bool // mistakes that were logged

	tour        tour
	staked      stake  // the order that was at stake when the last fault was done
	toldOutcome string // of that fault
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
		life: ctx, cfg: cfg, now: cfg.Now, ground: ground{dark: true}, focus: paneCheckout, mouse: cfg.Mouse,
		cache: map[paneID][]string{}, cart: newCart(cfg.Catalogue, cfg.CartLimit), logFile: cfg.LogFile,
		progress: make(chan kafkaops.Progress, 1),
		tails:    map[paneID]*tailPane{},
		series:   map[string]*series{},
		filter:   textinput.New(),
		keys:     bindings(),
		load:     newLoadState(cfg.LoadRate),
	}
	m.ctx, m.end = context.WithCancel(ctx)
	if m.now == nil {
		m.now = time.Now
	}
	look, err := cfg.Look.Checked()
	if err != nil { // whoever read it has said so
		look, _ = Look{}.Checked()
	}
	m.look = look
	m.restyle()
	m.words = words(m.keys)
	for i, t := range events.Topics() {
		m.flowing[i] = &tailPane{topic: t}
		m.tails[panePayment+paneID(i)] = m.flowing[i]
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

// update is Update, which lives through what goes wrong here.
func (m *Model) update(msg tea.Msg) (tea.Model, tea.Cmd) {
	m.held = false
	if m.outlived(msg) {
		return m, nil
	}
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		m.relayout()
	case tea.BackgroundColorMsg:
		m.ground.dark, m.ground.told = msg.IsDark(), true
		m.restyle()
	case tea.ColorProfileMsg:
		m.ground.profile = msg.Profile
		m.restyle()
	case keptMsg:
		return m, m.kept(msg)
	case tea.KeyPressMsg:
		return m, m.press(msg)
	case tea.PasteMsg:
		if m.command != nil {
			return m, m.typeCommand(msg)
		}
		if m.overlay != nil && m.overlay.paste != nil && m.question == nil {
			m.overlay.paste(msg.Content)
			return m, nil
		}
		if m.field != nil {
			return m, m.field.update(pasted(msg))
		}
		if m.filtering {
			return m, m.typeFilter(pasted(msg))
		}
	case tea.MouseClickMsg:
		if p := m.layout.at(msg.X, msg.Y); p != 0 && m.overlay == nil && m.question == nil && !m.typing() {
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
		return m, tea.Batch(tick(), m.followOn(), m.pickOn(), m.askOffsets())
	case checkoutMsg:
		if msg.number == m.lastOrder.number {
			m.lastOrder.receipt, m.lastOrder.err, m.lastOrder.done = msg.receipt, msg.err, true
			m.dirty(paneCheckout)
		}
	case faultDoneMsg:
		m.faultDone(msg)
		m.dirty(paneTimeline)
	case staffDoneMsg:
		m.staffDone(msg)
	case deadMsg, deadTickMsg, deadDoneMsg:
		return m, m.observeDead(msg)
	case drillDoneMsg:
		m.observeDrill(msg)
	case logMsg:
		m.showLog(msg)
	case clustersMsg:
		m.takeClusters(msg)
	case tea.ResumeMsg:
		m.dirtyAll() // much may have happened meanwhile
	case result:
		return m, msg.apply(m)
	default:
		if m.command != nil { // its cursor
			return m, m.typeCommand(msg)
		}
		if m.field != nil { // its cursor
			return m, m.field.update(msg)
		}
		if m.filtering { // its cursor, or what ctrl+v has found in the clipboard
			return m, m.typeFilter(msg)
		}
	}
	return m, nil
}

// press gives a key to whatever has the keyboard: a question, an overlay, the filter, else the panes.
func (m *Model) press(k tea.KeyPressMsg) tea.Cmd {
	m.notice = notice{}
	m.dirtyAll()
	if k.String() == "ctrl+z" { // as everywhere, whatever is open
		return m.suspend()
	}
	if m.question == nil && m.field == nil && m.command == nil && !m.filtering && !m.pickerOpen() {
		if cmd, done := m.tourKey(k); done {
			return cmd
		}
	}
	switch {
	case m.question != nil:
		return m.questionKey(k)
	case m.overlay != nil:
		return m.overlayKey(k)
	case m.field != nil:
		return m.fieldKey(k)
	case m.command != nil:
		return m.commandKey(k)
	case m.filtering:
		return m.filterKey(k)
	}
	return m.dispatch(k)
}

// ready is when there is a cluster and a shop.
func (m *Model) ready(msg readyMsg) tea.Cmd {
	if msg.err != nil {
		return m.notUp(msg.err)
	}
	m.backend = msg.backend
	m.dirtyAll()
	if note := inOne(m.backend.Note, m.cfg.LookNote); note != "" {
		m.say(false, note)
		m.notice.until = m.now().Add(3 * noticeFor)
	}
	return tea.Batch(m.waitState(), m.waitBatch())
}

// inOne is what there is to say, in one sentence.
func inOne(list ...string) string {
	return strings.Join(slices.DeleteFunc(list, func(n string) bool { return n == "" }), "; ")
}

// observe takes a new picture of the cluster and tells the timeline what has changed.
func (m *Model) observe(s *watch.State) {
	// That brokers come to be known when the program starts is no news.
	known := func(s *watch.State) bool {
		return s.Quorum.Known && s.Count(watch.Unknown)+s.Count(watch.Starting) == 0 && len(s.Partitions) > 0
	}
	changes := watch.Diff(m.state, s)
	m.settled = m.settled || m.state != nil && (known(m.state) || m.last.Verb != "")
	if m.settled {
		m.observeChanges(changes, s.At)
	}
	first, group := m.state == nil, ""
	if !first && m.groupAt < len(m.state.Groups) {
		group = m.state.Groups[m.groupAt].Name
	}
	m.state = s
	m.nodeAt = max(0, min(m.nodeAt, len(s.Nodes)-1)) // some may have gone
	news := len(s.Others) != len(m.parts.others) || len(s.Others) > 0 && &s.Others[0] != &m.parts.others[0]
	m.refreshParts()
	if i := slices.IndexFunc(s.Groups, func(g watch.Group) bool { return g.Name == group }); i >= 0 {
		m.groupAt = i // the selection stays with its group
	}
	m.groupAt = max(0, min(m.groupAt, len(s.Groups)-1))
	m.voterAt = max(0, min(m.voterAt, len(s.Quorum.Voters)+len(s.Quorum.Observers)-1))
	if m.contents() != m.content {
		m.relayout()
	}
	if m.held = len(changes) == 0 && !first && !news; m.held {
		return // ages and log ends are the tick's
	}
	m.refreshFaults()
	m.stalled = s.Stalled()
	m.dirty(paneCheckout, paneBrokers, panePartitions, paneTimeline)
}

func (m *Model) addBatch(msg batchMsg) {
	m.batchAt = m.now()
	m.followBatch(msg.Records)
	for i, t := range m.flowing {
		had := t.ring.next
		records := msg.Records[:0:0]
		for _, r := range msg.Records {
			if r.Topic == t.topic {
				records = append(records, r)
			}
		}
		t.add(records, msg.Topics[t.topic], msg.At)
		if t.ring.next != had {
			m.dirty(panePayment + paneID(i))
		}
	}
}

// tick is the slow clock of the screen: figures, ages, notices.
func (m *Model) tick() {
	now := m.now()
	if m.notice.text != "" && now.After(m.notice.until) {
		m.notice = notice{}
	}
	if m.backend == nil {
		return
	}
	m.refreshFaults()
	m.figures = m.backend.Shop.Figures()
	m.load.figures = m.backend.Load.Figures()
	m.of(payments).rate.add(now, m.figures.Accepted)
	for _, svc := range m.figures.Services {
		m.of(svc.Name).rate.add(now, svc.Handled)
	}
	m.readStaff()
	if m.past.note(m, now) {
		m.dirty(paneCharts)
	}
	m.tellOutcome()
	if now.Sub(m.sparked) >= time.Second {
		m.sparked = now
		for _, v := range m.series {
			v.spark.add(v.rate.value(now))
		}
	}
	m.dirty(paneCheckout, panePayment, paneOrder, paneEmail, paneBrokers, panePartitions, paneServices, paneAnalytics)
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
	m.content = m.contents()
	kind, hidden, h := m.look.Layout, m.look.hides, m.height-m.tourHeight()
	if m.tour.open { // it speaks of panes that may be hidden
		kind, hidden = LayoutAuto, func(paneID) bool { return false }
	}
	m.layout = newLayout(m.width, h, kind, hidden, m.content, zoomed)
	if l := m.tourLayout(rect{0, 1, m.width, h - 2}); l != nil && zoomed == 0 {
		m.layout = l
	}
	if len(m.extra()) > 0 && zoomed == 0 {
		m.layout.spread(slices.DeleteFunc(m.tailPanes(), hidden), m.focus)
	}
	if _, ok := m.layout[m.focus]; !ok {
		m.focus = m.layout.first()
	}
	m.dirtyAll()
}

// contents is how much there is to show.
func (m *Model) contents() content {
	c := content{products: len(m.cart.products)}
	if m.state != nil {
		c.brokers, c.partitions = len(m.state.Nodes), len(m.state.Partitions)
	}
	return c
}

// focusOn gives a pane the keys. One that has no place on this screen has all of it, until another is asked for.
func (m *Model) focusOn(p paneID) {
	if m.cameFrom != 0 {
		m.leavePeek()
	}
	if _, ok := m.layout[p]; !ok && !m.zoomed {
		m.cameFrom, m.zoomed = m.focus, true
	}
	m.focus = p
	m.relayout()
}

func (m *Model) leavePeek() {
	m.focus, m.cameFrom, m.zoomed = m.cameFrom, 0, false
	m.relayout()
}

func (m *Model) nextPane(by int) tea.Cmd {
	list := m.panes()
	at := slices.Index(list, m.focus)
	for range list {
		at = (at + by + len(list)) % len(list)
		if _, ok := m.layout[list[at]]; ok || m.zoomed && !m.look.hides(list[at]) {
			break
		}
	}
	m.focusOn(list[at])
	return nil
}

func (m *Model) toggleZoom() tea.Cmd {
	if m.cameFrom != 0 {
		m.leavePeek()
		return nil
	}
	m.zoomed = !m.zoomed
	m.relayout()
	return nil
}

// suspend gives the terminal to the shell until fg. Without a shell that controls jobs nobody could say fg, and the program would hang.
func (m *Model) suspend() tea.Cmd {
	if m.cfg.Alone {
		m.say(false, "ctrl+z goes to the shell that has started a program, and there is none here")
		return nil
	}
	return tea.Suspend
}

func (m *Model) toggleMouse() tea.Cmd {
	m.mouse = !m.mouse
	m.say(false, map[bool]string{true: "mouse on: click focuses, the wheel scrolls", false: "mouse off: the terminal's own selection works"}[m.mouse])
	return nil
}

// back undoes the newest of: filter, pause, zoom.
func (m *Model) back() tea.Cmd {
	switch t := m.tail(); {
	case searching(m):
		m.searchFor("")
	case t != nil && t.filter != "":
		t.filter = ""
	case t != nil && t.paused && (t.own == nil || !t.own.paged):
		t.follow()
	case m.focus == paneAnalytics && m.sales.paused:
		return m.followSales()
	case m.focus == panePartitions && m.parts.filtered():
		m.unfilter()
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
	return m.toEnd()
}

func (m *Model) openFilter() tea.Cmd {
	m.filtering = true
	m.filter.SetWidth(filterWidth(m.width)) // before the text: it is scrolled to its end
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
		return m.typeFilter(k)
	}
	m.filter.Blur()
	m.applyFilter()
	return nil
}

// typeFilter gives a key, a paste or the blinking of the cursor to the line.
func (m *Model) typeFilter(msg tea.Msg) tea.Cmd {
	before := m.filter.Value()
	cmd := typed(&m.filter, msg)
	if m.filter.Value() != before {
		m.applyFilter()
	}
	return cmd
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
	case m.focus == paneCheckout:
		m.cart.at = clamp(m.cart.at, len(m.cart.products)+1)
	case m.focus.isTail():
		m.tail().move(n)
		m.tail().readMore()
	case m.focus == paneBrokers && m.state != nil:
		m.nodeAt, m.byRole = clamp(m.nodeAt, len(m.state.Nodes)), false
	case m.focus == panePartitions && m.state != nil:
		m.moveInView(n)
	case m.focus == paneAnalytics:
		m.moveSales(n)
	case m.focus == paneCharts:
		across, down := chartGrid(m.layout[paneCharts].w-2, m.layout[paneCharts].h-2)
		m.charts.at = clamp(m.charts.at, len(charts())-across*down+1)
	case m.focus == paneTimeline:
		m.moveTime(n)
	case m.focus == paneServices:
		m.staff.at = clamp(m.staff.at, len(m.staff.rows))
	}
	return nil
}

// typing says that a line of text has the keys: what it is about must not change below it.
func (m *Model) typing() bool { return m.filtering || m.command != nil || m.field != nil }

func (m *Model) wheel(msg tea.MouseWheelMsg) tea.Cmd {
	by, k := 3, tea.KeyPressMsg{Code: tea.KeyDown}
	switch msg.Button {
	case tea.MouseWheelDown:
	case tea.MouseWheelUp:
		by, k.Code = -3, tea.KeyUp
	default: // sideways there is nothing
		return nil
	}
	switch o := m.overlay; {
	case m.question != nil:
		return nil
	case o != nil && o.press != nil: // in a list it selects
		if cmd, done := o.press(k); done {
			return cmd
		}
		fallthrough
	case o != nil:
		o.top += by
		return nil
	}
	if p := m.layout.at(msg.X, msg.Y); p != 0 && !m.typing() {
		m.focusOn(p)
		if t := m.tail(); t == nil || t.paused || by < 0 {
			return m.moveBy(by)
		}
	}
	return nil
}

// clickRow selects the product or broker under the mouse.
func (m *Model) clickRow(p paneID, y int) {
	if p == paneCheckout {
		m.clickCart(y - m.layout[p].y - 1)
	}
	if row := y - m.layout[p].y - 1; p == paneBrokers && m.state != nil && row >= 0 && row < len(m.state.Nodes) {
		m.nodeAt, m.byRole = row, false
	}
}

// View draws the screen from the panes, those that have not changed as they were drawn before.
func (m *Model) View() (v tea.View) {
	v = tea.View{AltScreen: true, WindowTitle: "kassa", BackgroundColor: m.background, ForegroundColor: m.foreground}
	if m.mouse {
		v.MouseMode = tea.MouseModeCellMotion
	}
	defer func() {
		if what := recover(); what != nil {
			m.mishap("the screen", what)
			v.Content = fit(" "+cannotDraw("the screen")+", q quits", m.width)
		}
	}()
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
	lines = append(lines, m.drawn("the header", m.width, func() string { return m.header(m.width) }))
	lines = append(lines, m.body()...)
	if m.tour.open {
		lines = append(lines, m.drawnBlock("the tour", m.width, m.tourHeight(), func() []string { return m.renderTour(m.width) })...)
	}
	lines = append(lines, m.drawn("the line of keys", m.width, func() string { return m.hints(m.width) }))
	top := m.height - 1 - m.tourHeight() // what may be covered: neither the tour nor the keys
	over := func(what string, draw func(h int) []string) string {
		block := m.drawnBlock(what, 0, 0, func() []string { return draw(top + 1) })
		return onTop(lines[:top], block, m.width, top+1) + "\n" + strings.Join(lines[top:], "\n")
	}
	switch {
	case m.question != nil:
		v.Content = over("the question", func(int) []string { return m.renderQuestion(*m.question, m.width) })
	case m.overlay != nil:
		v.Content = over("this", func(h int) []string {
			if m.overlay.live != nil {
				m.overlay.lines = m.overlay.live()
			}
			return m.overlay.render(m.styles, m.width, h)
		})
	case m.command != nil:
		block := m.drawnBlock("the words", 0, 0, func() []string { return m.command.block(m.styles, m.width, top+1) })
		v.Content = above(lines, block, m.width, m.height, top)
	default:
		v.Content = strings.Join(lines, "\n")
	}
	m.frame, m.framed = v.Content, m.now()
	return v
}

// body puts the panes into the lines between header and hints. Panes tile the screen, so a line is its panes from left to right.
func (m *Model) body() []string {
	type piece struct {
		x    int
		text string
	}
	rows := make([][]piece, max(m.height-2-m.tourHeight(), 0))
	for _, p := range m.panes() {
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

// pane is one pane with its frame, as it was last drawn while nothing has changed.
func (m *Model) pane(p paneID, r rect) []string {
	lines, ok := m.cache[p]
	if !ok {
		lines = m.drawnBlock(fmt.Sprintf("pane %d", p), r.w, r.h, func() []string { return m.drawPane(p, r) })
		m.cache[p] = lines
	}
	return lines
}

func (m *Model) drawPane(p paneID, r rect) []string {
	s, focused := m.styles, p == m.focus
	border, edges := s.Frame, thinEdges
	if focused {
		border, edges = s.Focus, heavyEdges
	}
	w, h := r.w-2, r.h-2
	title := s.Dim.Render(p.key()) + " "
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
	case paneServices:
		title += s.Strong.Render("services")
		lines = m.renderServices(w, h, focused)
	case paneAnalytics:
		title += s.Strong.Render("analytics")
		status = m.salesStatus()
		lines = m.renderAnalytics(w, h, focused)
	case paneCharts:
		title += s.Strong.Render("charts")
		status = m.chartsStatus(w, h)
		lines = m.renderCharts(w, h)
	default:
		t := m.tails[p]
		noMail := ""
		if p == paneEmail && m.noMail() && w >= 24 {
			noMail = s.Warn.Render(" no mail")
		}
		least := ansi.StringWidth(t.title(p, s, 11))
		if t.paused { // that the view stands still matters more than the end of a name
			least = max(min(least, w-4-len("PAUSED")), 1)
		}
		if m.backend != nil { // before that it is neither live nor anything else
			status = t.status(s, m.now(), w-4-least-ansi.StringWidth(noMail))
		}
		title = t.title(p, s, w-4-ansi.StringWidth(status)-ansi.StringWidth(noMail)) + noMail
		lines = t.render(s, w, h, focused, m.backend != nil, m.now())
	}
	if focused && m.zoomed {
		status += s.Accent.Render(" zoom")
	}
	return framed(edges, border, title, status, lines, r.w, r.h)
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
