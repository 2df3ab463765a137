package tui

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"kassa/services"
)

// What may be done to the services while they run: stop, crash, start, scale, and another delivery for all.

// Staff is what the screen asks of the services beyond their figures. None of it waits but Control's Stop.
type Staff interface {
	// Control is the service of this name, nil for one that cannot be controlled.
	Control(service string) services.Control
	// Instances are those of a service that should run, none where they are not told apart.
	Instances(service string) []services.Instance
	Delivery() services.Delivery
	SetDelivery(d services.Delivery)
}

// staffState is what the screen knows of the services, and what was done to them.
type staffState struct {
	rows []services.Stats // in the order of the flow
	at   int              // the selected one
	last *staffAct        // for .
	acts []act            // for the timeline, oldest first
	open []openAct
}

// staffAct is something done to a service.
type staffAct struct {
	verb string // as in "crash order"
	done string // as a mark in the tails: "order crashed"
	do   func(ctx context.Context, c services.Control) error
}

// openAct is a crash or a start of which it is not known yet when the service was back.
type openAct struct {
	service string
	at      time.Time
}

// stopWithin bounds an orderly stop: a commit may wait for its brokers.
const stopWithin = 40 * time.Second

var (
	stopService  = staffAct{"stop", "stopped", func(ctx context.Context, c services.Control) error { return c.Stop(ctx) }}
	crashService = staffAct{"crash", "crashed", func(_ context.Context, c services.Control) error { return c.Crash() }}
	startService = staffAct{"start", "started", func(_ context.Context, c services.Control) error { return c.Start() }}
)

func (m *Model) control(service string) services.Control {
	if m.backend == nil || m.backend.Staff == nil {
		return nil
	}
	return m.backend.Staff.Control(service)
}

func (m *Model) delivery() string {
	if m.backend.Staff == nil {
		return m.backend.Delivery
	}
	return m.backend.Staff.Delivery().String()
}

// canService makes a condition on the selected service.
func canService(fn func(services.Stats) bool) func(*Model) bool {
	return func(m *Model) bool {
		svc, ok := m.selectedService()
		return ok && m.control(svc.Name) != nil && fn(svc)
	}
}

// cannotService says why that act cannot be done to the selected service.
func cannotService(a staffAct) func(*Model) error {
	return func(m *Model) error {
		svc, _ := m.selectedService()
		svc, err := m.serviceNamed(svc.Name)
		if err != nil {
			return err
		}
		return a.allowed(svc)
	}
}

func isStopped(svc services.Stats) bool { return svc.Status == services.Stopped }
func works(svc services.Stats) bool     { return svc.Status != services.Stopped }
func lives(svc services.Stats) bool     { return svc.Live > 0 && works(svc) }

// askService asks once whether to do an act to the selected service, with its price.
func askService(a staffAct) func(*Model) tea.Cmd {
	return func(m *Model) tea.Cmd {
		svc, ok := m.selectedService()
		if !ok {
			return nil
		}
		return m.askToDo(a, svc)
	}
}

func (m *Model) askToDo(a staffAct, svc services.Stats) tea.Cmd {
	m.askOnce(a.verb+" "+svc.Name, m.priceOf(a.verb, svc), func() tea.Cmd { return m.actOn(a, svc.Name) })
	return nil
}

// askOnce opens a question in an overlay.
func (m *Model) askOnce(what, price string, yes func() tea.Cmd) {
	s := m.styles
	lines := strings.Split(ansi.Wordwrap(price, min(66, m.width-8), ""), "\n")
	lines = append(lines, "", s.Key.Render("y")+" or "+s.Key.Render("enter")+" "+what+"   "+s.Key.Render("n")+" or "+s.Key.Render("esc")+" leave it")
	m.overlay = &overlay{title: strings.ToUpper(what[:1]) + what[1:] + "?", lines: lines, asks: true, press: func(k tea.KeyPressMsg) (tea.Cmd, bool) {
		switch {
		case key.Matches(k, bind("y enter Y", "", "")):
			m.overlay = nil
			return yes(), true
		case key.Matches(k, bind("n N", "", "")):
			m.overlay = nil
			return nil, true
		}
		return nil, false
	}}
}

// priceOf is what an act costs, in a sentence or two.
func (m *Model) priceOf(verb string, svc services.Stats) string {
	if svc.Name == payments {
		if verb == stopService.verb {
			return "Payment acknowledges what it has taken, and takes no more orders until S starts it."
		}
		return "Payment ends as by kill -9. Of orders that wait for Kafka's acknowledgement nobody can say whether they were accepted; it starts again by itself."
	}
	who := svc.Name
	if svc.Instances > 1 {
		who = fmt.Sprintf("All %d instances of %s", svc.Instances, svc.Name)
	}
	if verb == stopService.verb {
		return upper(who) + " finish what they began and leave their group. Records wait in the topic until S starts " + svc.Name + " again; nothing is lost."
	}
	price := upper(who) + ": kill -9, with no goodbye to the group. "
	switch {
	case svc.Name == "analytics":
		price += "It reads on from its last commit"
	case m.delivery() == services.ExactlyOnce.String():
		price += "The open transaction is aborted by whoever comes after, and its batch done again: nobody sees it twice"
	default:
		price += "What was written and not committed is written again with the same ids: some events may be there twice"
	}
	return price + ". It starts again by itself."
}

func upper(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// staffDoneMsg says how an act ended.
type staffDoneMsg struct {
	what string
	err  error
}

// act does something to the selected service.
func (m *Model) act(a staffAct) tea.Cmd {
	svc, ok := m.selectedService()
	if !ok {
		return nil
	}
	return m.actOn(a, svc.Name)
}

// actOn does something to a service, away from the screen's goroutine, and remembers it for a repetition.
func (m *Model) actOn(a staffAct, service string) tea.Cmd {
	c := m.control(service)
	if c == nil {
		return nil
	}
	m.staff.last = &a
	at := m.tell(service+" "+a.done, a.verb+" "+service)
	if a.verb != stopService.verb {
		m.staff.open = append(m.staff.open, openAct{service, at})
	}
	parent, what := m.ctx, a.verb+" "+service
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(parent, stopWithin)
		defer cancel()
		return staffDoneMsg{what, a.do(ctx, c)}
	}
}

func (m *Model) staffDone(msg staffDoneMsg) {
	if msg.err != nil {
		m.say(true, msg.what+": "+msg.err.Error())
	}
	m.readStaff()
	m.dirty(paneCheckout, paneServices, paneTimeline)
}

// repeatAct does the last act again, to the selected service and without a question.
func (m *Model) repeatAct() tea.Cmd { return m.act(*m.staff.last) }

// scaleService changes the number of instances of the selected service.
func (m *Model) scaleService(by int) tea.Cmd {
	svc, ok := m.selectedService()
	if !ok {
		return nil
	}
	n := svc.Instances + by
	if n < 1 || n > services.MaxInstances {
		m.say(false, fmt.Sprintf("a service runs in 1 to %d instances; s stops it", services.MaxInstances))
		return nil
	}
	return m.scaleTo(svc, n)
}

// scaleTo has a service run in n instances.
func (m *Model) scaleTo(svc services.Stats, n int) tea.Cmd {
	c := m.control(svc.Name)
	if c == nil {
		return nil
	}
	what := fmt.Sprintf("scale %s to %d", svc.Name, n)
	if err := c.Scale(n); err != nil { // it does not wait
		m.say(true, what+": "+err.Error())
		return nil
	}
	m.tell(fmt.Sprintf("%s scaled to %d", svc.Name, n), what)
	m.readStaff()
	if n > services.Partitions && svc.Name != payments && svc.Name != "analytics" {
		m.say(false, fmt.Sprintf("%d instances for %d partitions: %d of them stand by", n, services.Partitions, n-services.Partitions))
	}
	return nil
}

// askDelivery asks whether to go over to the other delivery.
func (m *Model) askDelivery() tea.Cmd {
	staff := m.backend.Staff
	other := staff.Delivery().Other()
	price := "Sessions end in order and go on in transactions, in the same places of their groups: nothing stops, nothing is there twice from then on. An order takes longer, since each transaction waits for the one before."
	if other == services.AtLeastOnce {
		price = "Sessions end in order and go on without transactions, in the same places of their groups: nothing stops, and an order takes a fraction of the time. A service that crashes then writes some events again, with the same ids."
	}
	m.askOnce("deliver "+other.String(), price, func() tea.Cmd {
		staff.SetDelivery(other)
		m.tell(other.String(), "delivery "+other.String())
		return nil
	})
	return nil
}

// tell marks the tails and adds a row to the timeline, where cause and effect line up; it gives the time that both have.
func (m *Model) tell(mark, what string) time.Time {
	now := m.now()
	for _, t := range m.markable() {
		t.mark(now, mark)
	}
	if m.staff.acts = append(m.staff.acts, act{what: what, at: now}); len(m.staff.acts) > maxActs {
		m.staff.acts = m.staff.acts[1:]
	}
	m.dirty(panePayment, paneOrder, paneEmail, paneTimeline, paneCheckout, paneServices)
	return now
}

// followActs notes when a service that was crashed or started was given its partitions again.
func (m *Model) followActs() {
	m.staff.open = slices.DeleteFunc(m.staff.open, func(o openAct) bool {
		for _, svc := range m.staff.rows {
			if svc.Name != o.service || svc.Status != services.Running || svc.Live < svc.Instances || !svc.Since.After(o.at) {
				continue
			}
			for i := range m.staff.acts {
				if a := &m.staff.acts[i]; a.at.Equal(o.at) {
					text := "has its partitions again"
					if o.service == payments {
						text = "writes again"
					}
					a.phases = append(a.phases, phase{text: text, last: svc.Since.Sub(o.at)})
				}
			}
			m.dirty(paneTimeline)
			return true
		}
		return m.now().Sub(o.at) > related
	})
}
