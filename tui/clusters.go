package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"kassa/kafkaops"
)

// Where the brokers come from: a list of the providers, with what each lacks on this machine, and the change from one to another while the screen stays.

// Provider is a place that brokers can come from.
type Provider struct {
	Name   string // "local"
	What   string // what its brokers are, as a clause
	Limits string // what it cannot do; empty for nothing
	Lacks  string // why it cannot be had on this machine, and what to do about it; empty if it can
	Now    bool   // its brokers are those on the screen, or on their way
	Ends   string // of the present one: what becomes of its brokers when others take their place, as a clause
}

// clustersPatience bounds the look at the machine: an engine may not answer.
const clustersPatience = 10 * time.Second

// clusters is the list, and the present change. What is on the screen belongs to one session: a change begins the next one.
type clusters struct {
	session  int                     // counts changes
	provider string                  // that was changed to; empty for the one of the start
	failed   string                  // why there are no brokers; empty while there are, or may be soon
	answers  []kafkaops.BrokerAnswer // of each broker, when that became known
	overlay  *overlay
	looking  bool
	list     []Provider
	at       int    // the selected one
	line     int    // where that begins
	wanted   string // to be selected when it is known what there is; empty for none
}

type (
	clustersMsg struct{ list []Provider }
	switchMsg   struct{ provider string }
)

func canSwitch(m *Model) bool { return m.cfg.Providers != nil }

func (m *Model) openClusters() tea.Cmd {
	c := &m.clusters
	c.overlay, c.looking = &overlay{title: "where the brokers come from", live: m.clusterLines, press: m.clustersKey}, true
	m.overlay = c.overlay
	parent, look := m.ctx, m.cfg.Providers
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(parent, clustersPatience)
		defer cancel()
		return clustersMsg{look(ctx)}
	}
}

// takeClusters shows what was found. The first one that could be changed to is selected, unless it has just failed.
func (m *Model) takeClusters(msg clustersMsg) {
	c := &m.clusters
	if c.list == nil {
		c.at = max(0, slices.IndexFunc(msg.list, func(p Provider) bool { return !p.Now && p.Lacks == "" && p.Name != c.provider }))
	}
	c.list, c.looking = msg.list, false
	if c.wanted != "" {
		if at := slices.IndexFunc(c.list, func(p Provider) bool { return p.Name == c.wanted }); at >= 0 {
			c.at = at
			m.showChoice()
		} else {
			m.say(true, fmt.Sprintf("no brokers come from %q: here is where they can come from", c.wanted))
		}
		c.wanted = ""
	}
}

func offerClusters(m *Model, before []string) (list []candidate) {
	for _, p := range m.clusters.list {
		if len(before) == 0 {
			list = append(list, candidate{p.Name, p.What})
		}
	}
	return list
}

// clustersWord opens the list at a provider: what it costs to change over is said there, and enter does it.
func clustersWord(m *Model, rest string) (tea.Cmd, error) {
	if !canSwitch(m) {
		return nil, errors.New("these brokers cannot be changed for others from here")
	}
	m.clusters.wanted = rest
	return m.openClusters(), nil
}

// clustersKey moves in the list and changes over.
func (m *Model) clustersKey(k tea.KeyPressMsg) (tea.Cmd, bool) {
	c := &m.clusters
	switch {
	case key.Matches(k, bind("j down", "", "")):
		c.at = min(c.at+1, max(len(c.list)-1, 0))
		m.showChoice()
	case key.Matches(k, bind("k up", "", "")):
		c.at = max(c.at-1, 0)
		m.showChoice()
	case key.Matches(k, bind("enter", "", "")):
		return m.chooseCluster(), true
	case key.Matches(k, bind("r", "", "")) && failed(m):
		return m.tryAgain(), true
	case key.Matches(k, bind("q", "", "")) && failed(m):
		return tea.Quit, true
	default:
		return nil, false
	}
	return nil, true
}

// showChoice scrolls to the selected one, where the list is longer than the screen.
func (m *Model) showChoice() {
	m.clusterLines() // finds its line
	m.clusters.overlay.top = m.clusters.line
}

func (m *Model) chooseCluster() tea.Cmd {
	c := &m.clusters
	if c.at >= len(c.list) {
		return nil // still looking
	}
	switch p := c.list[c.at]; {
	case p.Now:
		m.say(false, p.Name+" is what runs")
	case p.Lacks != "":
		m.say(true, p.Name+" cannot be had here yet: see what it lacks")
	default:
		m.overlay = nil
		return func() tea.Msg { return switchMsg{p.Name} }
	}
	return nil
}

// switchTo gives the screen to a new model, which has another provider's brokers and a new shop come up. What this one waits for ends with its context, and
// nobody writes to it any more.
func (m *Model) switchTo(provider string) (tea.Model, tea.Cmd) {
	m.end()
	next := New(m.life, m.cfg)
	next.clusters.session, next.clusters.provider = m.clusters.session+1, provider
	// What a person has arranged stays as it is.
	next.width, next.height, next.mouse, next.charts = m.width, m.height, m.mouse, m.charts
	next.look, next.unkept, next.lookAt, next.ground, next.background, next.foreground = m.look, m.unkept, m.lookAt, m.ground, m.background, m.foreground
	next.restyle()
	next.focus, next.zoomed, next.cameFrom, next.view = m.focus, m.zoomed, m.cameFrom, m.view
	if next.focus >= paneTopics { // it was of the other brokers
		next.focus, next.zoomed, next.cameFrom = panePayment, false, 0
	}
	if next.cameFrom >= paneTopics {
		next.cameFrom = panePayment
	}
	next.cart, next.load.plan, next.load.burst, next.load.target, next.load.over = m.cart, m.load.plan, m.load.burst, m.load.target, m.load.over
	next.load.plan.On = false
	next.mishaps, next.said = m.mishaps, m.said
	// What comes of the last one's is not of the next one's.
	next.follow.number, next.picker.number, next.offsets.number, next.ownTails = m.follow.number+1, m.picker.number+1, m.offsets.number+1, m.ownTails
	next.boot = kafkaops.Progress{Step: "changing to " + provider}
	if provider == m.clusters.provider {
		next.boot.Step = "trying again"
	}
	next.relayout()
	cmds := []tea.Cmd{next.start(), next.waitBoot()}
	for p := range m.tails {
		cmds = append(cmds, m.closeOwn(p))
	}
	return next, tea.Batch(cmds...)
}

// starter is what brings the brokers of this session up.
func (m *Model) starter() func(context.Context, func(kafkaops.Progress)) (*Backend, error) {
	provider, change := m.clusters.provider, m.cfg.Switch
	if provider == "" {
		return m.cfg.Start
	}
	return func(ctx context.Context, progress func(kafkaops.Progress)) (*Backend, error) {
		return change(ctx, provider, progress)
	}
}

// notUp is when no brokers came up: it is shown why, as far as each broker says, and a person tries again, chooses others, or leaves. Where there is no choice
// the program ends with the reason.
func (m *Model) notUp(err error) tea.Cmd {
	if m.clusters.provider == "" {
		m.err = err
		if m.cfg.Providers == nil {
			return tea.Quit
		}
	}
	m.clusters.failed = strings.Join(strings.Fields(err.Error()), " ")
	var user *kafkaops.UserError
	var each *kafkaops.ConnectError
	switch {
	case errors.As(err, &each):
		m.clusters.answers = each.Brokers
		m.clusters.failed = strings.Join(strings.Fields(each.Err.Error()), " ")
	default:
		m.clusters.answers = nil
		for _, n := range m.boot.Nodes { // what its provider last knew of each
			answer := n.Process.String()
			if n.Exit != "" {
				answer += ": " + n.Exit
			}
			m.clusters.answers = append(m.clusters.answers, kafkaops.BrokerAnswer{Addr: n.Addr, Answer: answer})
		}
	}
	if errors.As(err, &user) {
		m.clusters.failed = user.Message
	}
	m.dirtyAll()
	return m.openClusters()
}

func failed(m *Model) bool { return m.clusters.failed != "" }

// tryAgain has the brokers that did not come up come up.
func (m *Model) tryAgain() tea.Cmd {
	m.overlay = nil
	provider := m.clusters.provider
	return func() tea.Msg { return switchMsg{provider} }
}

// outlived says that a message is about brokers that were on the screen before: what they were asked has ended with their context.
func (m *Model) outlived(msg tea.Msg) bool {
	switch msg := msg.(type) {
	case readyMsg:
		return msg.session != m.clusters.session
	case stateMsg, batchMsg, checkoutMsg, faultDoneMsg, staffDoneMsg, deadMsg, deadDoneMsg, result:
		return m.backend == nil
	}
	return false
}

// clusterLines is the list, with the price of the selected one.
func (m *Model) clusterLines() []string {
	s, c := m.styles, &m.clusters
	w := max(min(m.width-8, 84), 30)
	var lines []string
	wrap := func(indent, label, text string, style ink) {
		for i, l := range strings.Split(ansi.Wordwrap(safe(text), w-len(indent)-len(label), ""), "\n") {
			if i > 0 {
				label = strings.Repeat(" ", len(label))
			}
			lines = append(lines, indent+s.Dim.Render(label)+style.Render(l))
		}
	}
	if c.failed != "" {
		who := c.provider
		if who == "" {
			who = "the brokers"
		}
		wrap("", "", who+" did not come up: "+c.failed, s.Bad)
		for _, b := range c.answers {
			style := s.Warn
			if b.OK {
				style = s.Good
			}
			wrap("  ", fit(safe(b.Addr), 22), b.Answer, style)
		}
		keys := s.Key.Render("r") + " tries again   " + s.Key.Render("enter") + " changes to the selected ones   " + s.Key.Render("q") + " leaves"
		lines = append(lines, strings.Split(ansi.Wordwrap(keys, w, ""), "\n")...)
		lines = append(lines, "")
	}
	for i, p := range c.list {
		mark := "  "
		if i == c.at {
			mark, c.line = s.Accent.Render("▶ "), len(lines)
		}
		state := s.Good.Render("can be had")
		switch {
		case p.Now:
			state = s.Strong.Render("now")
		case p.Lacks != "":
			state = s.Warn.Render("lacks something")
		}
		lines = append(lines, mark+s.Strong.Render(fit(p.Name, 10))+state)
		const indent = "            "
		wrap(indent, "", p.What, s.Text)
		if p.Limits != "" {
			wrap(indent, "limits  ", p.Limits, s.Dim)
		}
		if p.Lacks != "" {
			wrap(indent, "lacks   ", p.Lacks, s.Warn)
		}
		if why := m.whyNow(p); why != "" {
			wrap(indent, "why     ", why, s.Dim)
		}
		if price := m.price(p); i == c.at && price != "" {
			wrap(indent, "enter   ", price, s.Strong)
		}
	}
	if c.looking && c.list == nil {
		lines = append(lines, s.Dim.Render("looking at this machine …"))
	}
	return lines
}

// whyNow is why the present brokers are those that they are.
func (m *Model) whyNow(p Provider) string {
	if !p.Now || m.backend == nil {
		return ""
	}
	return m.backend.Info.Why
}

// price is what enter costs; empty where it does nothing.
func (m *Model) price(p Provider) string {
	if p.Now || p.Lacks != "" {
		return ""
	}
	text := "changes to these. The shop opens anew, with no order and no measurement"
	if i := slices.IndexFunc(m.clusters.list, func(p Provider) bool { return p.Now }); i >= 0 {
		text += "; of " + m.clusters.list[i].Name + ", " + m.clusters.list[i].Ends
	}
	return text
}
