package tui

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
	"kassa/kafkaops/tail"
	"kassa/kafkaops/watch"
	"kassa/services"
	"kassa/services/analytics"
	"kassa/services/deadletters"
	"kassa/services/email"
	"kassa/services/events"
	"kassa/services/load"
)

// dice turns the bytes of a fuzzer into choices. When they are used up it gives 0.
type dice struct {
	data []byte
}

func (d *dice) done() bool { return len(d.data) == 0 }

func (d *dice) byte() byte {
	if d.done() {
		return 0
	}
	b := d.data[0]
	d.data = d.data[1:]
	return b
}

// below gives 0 to n-1.
func (d *dice) below(n int) int { return int(d.byte()) % n }

func (d *dice) chance(in int) bool { return d.below(in) == in-1 }

func (d *dice) number() int64 {
	n := int64(0)
	for range d.below(9) {
		n = n<<8 | int64(d.byte())
	}
	return n - int64(d.below(2))*2
}

// text is what a stranger may have written: one of hostileTexts, or the fuzzer's own bytes.
func (d *dice) text() string {
	if n := d.below(len(hostileTexts) + 8); n < len(hostileTexts) {
		return hostileTexts[n]
	}
	n := min(d.below(40), len(d.data))
	s := string(d.data[:n])
	d.data = d.data[n:]
	return s
}

func (d *dice) texts(most int) (out []string) {
	for range d.below(most + 1) {
		out = append(out, d.text())
	}
	return out
}

func (d *dice) moment(now time.Time) time.Time {
	switch d.below(4) {
	case 0:
		return time.Time{}
	case 1:
		return now
	}
	return now.Add(-time.Duration(d.number()))
}

// state is a picture of a cluster that may have any shape.
func (d *dice) state(now time.Time) *watch.State {
	st := &watch.State{At: d.moment(now), ClusterID: d.text()}
	node := func() int32 { return int32(d.below(6)) - 1 }
	nodes := func() (out []int32) {
		for range d.below(4) {
			out = append(out, node())
		}
		return out
	}
	replicas := func() (out []watch.Replica) {
		for range d.below(4) {
			out = append(out, watch.Replica{ID: node(), LogEnd: d.number(), Lag: d.number(), LastFetch: d.moment(now), LastCaughtUp: d.moment(now)})
		}
		return out
	}
	for i := range d.below(5) {
		st.Nodes = append(st.Nodes, watch.Node{
			ID: int32(i), Addr: d.text(), Health: watch.Health(d.below(7)), Since: d.moment(now), Seen: d.moment(now), Process: kafkaops.Process(d.below(6)),
			PID: d.below(9), Err: d.text(), Leads: d.below(9), Led: d.below(9), LogEnd: d.number(), Lag: d.number(),
			Can: []kafkaops.Verb{kafkaops.Kill, kafkaops.Cut}[:d.below(3)],
		})
	}
	st.Quorum = watch.Quorum{Leader: node(), Epoch: int32(d.number()), HighWatermark: d.number(), Voters: replicas(), Observers: replicas(), Seen: d.moment(now), Known: d.chance(2), Lost: d.chance(2)}
	topic := events.PaymentSuccessful
	for i := range d.below(30) {
		if d.chance(4) {
			topic = d.text()
		}
		st.Partitions = append(st.Partitions, watch.Partition{
			Topic: topic, ID: int32(i), Leader: node(), Epoch: int32(d.number()), Replicas: nodes(), ISR: nodes(), ELR: nodes(), Offline: nodes(),
			MinISR: d.below(4), Moved: d.moment(now), From: node(), Seen: d.moment(now),
		})
	}
	for range d.below(4) {
		g := watch.Group{
			Name: d.text(), Type: d.text(), State: d.text(), Protocol: d.text(), Coordinator: node(), Opaque: d.chance(4),
			Rebalances: d.below(9), Rebalanced: d.moment(now), Seen: d.moment(now), Err: d.text(),
		}
		for range d.below(4) {
			g.Members = append(g.Members, watch.Member{ID: d.text(), ClientID: d.text(), Host: d.text(), Assigned: map[string][]int32{d.text(): nodes()}})
			g.Lag = append(g.Lag, watch.PartitionLag{Topic: d.text(), Partition: node(), Committed: d.number(), End: d.number(), Lag: d.number()})
		}
		st.Groups = append(st.Groups, g)
	}
	return st
}

func (d *dice) batch(now time.Time) batchMsg {
	b := tail.Batch{At: now, Topics: map[string]tail.Count{}}
	for range d.below(8) {
		topic := append(events.Topics(), d.text())[d.below(4)]
		r := tail.Record{Topic: topic, Partition: int32(d.below(4)), Offset: d.number(), Time: d.moment(now), Key: []byte(d.text()), Value: []byte(d.text())}
		switch d.below(4) {
		case 0:
			r.Key = nil
		case 1:
			r.Value = nil
		case 2:
			r.Value = fmt.Appendf(nil, `{"amount":%d,"orderId":%q,"emailId":%q}`, d.number(), d.text(), d.text())
		}
		r.Size = len(r.Value) + d.below(2)*1000
		for _, text := range d.texts(2) {
			r.Headers = append(r.Headers, tail.Header{Key: text, Value: []byte(d.text())})
		}
		b.Records = append(b.Records, r)
		b.Topics[topic] = tail.Count{Read: d.number(), Skipped: d.number(), Behind: d.number(), Err: d.text(), ErrSince: d.moment(now)}
	}
	return batchMsg(b)
}

func (d *dice) stats(name string) services.Stats {
	return services.Stats{
		Name: name, Status: services.Status(d.below(5)), Handled: d.number(), Produced: d.number(), DeadLetters: int64(d.below(4)), Retries: d.number(), Lag: d.number(),
		Partitions: d.below(9), Instances: d.below(7), Live: d.below(7), Restarts: d.number(), P50: time.Duration(d.number()), P99: time.Duration(d.number()), Err: d.text(),
	}
}

func (d *dice) figures() Figures {
	f := Figures{
		Accepted: d.number(), Pending: d.number(), Refused: d.number(), AckP50: time.Duration(d.number()), AckP99: time.Duration(d.number()),
		Complete: d.number(), InFlight: d.number(), Revenue: d.number(), FlowP50: time.Duration(d.number()), FlowP99: time.Duration(d.number()),
	}
	for _, name := range []string{"payment", "order", "email", "analytics"}[:d.below(5)] {
		f.Services = append(f.Services, d.stats(name))
	}
	return f
}

func (d *dice) timelines(now time.Time) (out []drill.Timeline) {
	for range d.below(4) {
		l := drill.Timeline{
			Fault: kafkaops.Fault{Verb: []kafkaops.Verb{kafkaops.Kill, kafkaops.Start, kafkaops.Elect, kafkaops.Pause}[d.below(4)], Node: int32(d.below(5)), Role: kafkaops.Role(d.text())},
			At:    d.moment(now), Took: time.Duration(d.number()), Err: d.text(), Controller: d.chance(2), Leads: d.below(9), Probed: d.chance(2), Open: d.chance(2),
			Gap: drill.Gap{Worst: time.Duration(d.number()), All: time.Duration(d.number()), Open: d.chance(2)},
		}
		for range d.below(5) {
			l.Phases = append(l.Phases, drill.Phase{
				Mark:  []drill.Mark{drill.LeadersMoved, drill.ISRFull, drill.AcksResumed, drill.BrokerBack, drill.ControllerElected}[d.below(5)],
				After: time.Duration(d.number()), Detail: d.text(),
			})
		}
		out = append(out, l)
	}
	return out
}

// furnish fills the shop with what strangers have written.
func (d *dice) furnish(s *stage) {
	s.figs, s.loaded = d.figures(), load.Figures{Rate: d.below(999), Left: time.Duration(d.number()), Shed: d.number()}
	shift, sales, mails, dead := s.on(), sells(s.clock), &mailbox{text: d.text()}, &graves{}
	for range d.below(4) {
		shift.list["order"] = append(shift.list["order"], services.Instance{Slot: d.below(3), Name: d.text(), Stats: d.stats("order"), Again: d.moment(s.clock)})
		sales.events = append(sales.events, analytics.Entry{
			At: d.moment(s.clock), Topic: append(events.Topics(), d.text())[d.below(4)], Checkout: d.text(), User: d.text(), ID: d.text(),
			Amount: events.Money(d.number()), Items: d.below(9), Names: [4]string{d.text(), d.text()}, Again: d.chance(2),
		})
		mails.mails = append(mails.mails, email.Envelope{Number: int64(len(mails.mails) + 1), At: d.moment(s.clock), From: d.text(), To: d.text(), Subject: d.text(), ID: d.text(), Size: d.below(99)})
		dead.letters = append(dead.letters, deadletters.Letter{
			At: deadletters.Place{Topic: d.text(), Offset: d.number()}, Source: deadletters.Place{Topic: d.text()}, Time: d.moment(s.clock), SourceTime: d.moment(s.clock),
			Reason: d.text(), Service: d.text(), Attempt: d.below(4), RetryOf: d.text(), Key: []byte(d.text()), Value: []byte(d.text()), Size: d.below(99),
			Headers: []events.Header{{Key: d.text(), Value: []byte(d.text())}}, Cut: d.chance(2), Retried: d.moment(s.clock), RetriedAs: d.text(),
		})
	}
	s.backend.Analytics, s.backend.Mail, s.backend.DeadLetters = sales, mails, dead
	s.backend.Info.Why, s.backend.Info.DataDir, s.backend.URL = d.text(), d.text(), d.text()
	s.backend.Acks = []string{"", "acks=1"}[d.below(2)]
	s.backend.Log = &shelf{topics: []tail.Topic{{Name: d.text(), Partitions: d.below(99), Leaderless: d.below(2), Err: d.text()}, {Name: "carts"}}}
}

// sgr is what a frame may hold besides text: colours and the like.
var sgr = regexp.MustCompile("\x1b\\[[0-9;:]*m")

// sound fails unless what is on the screen fits it, and does nothing to a terminal but show text.
func (s *stage) sound(what string) {
	s.t.Helper()
	frame := s.View().Content
	lines := strings.Split(frame, "\n")
	small := s.width < MinWidth || s.height < MinHeight
	covered := s.overlay != nil || s.question != nil || s.command != nil // composing leaves trailing spaces out
	if len(lines) > max(s.height, 1) || !small && len(lines) != s.height {
		s.t.Fatalf("%d lines on a screen of %d×%d after %s", len(lines), s.width, s.height, what)
	}
	for i, l := range lines {
		text := sgr.ReplaceAllString(l, "")
		if w, wc := ansi.StringWidth(text), ansi.StringWidthWc(text); w > s.width || wc > s.width || !small && !covered && (w != s.width || wc != s.width) {
			s.t.Fatalf("line %d is %d or %d wide on a screen of %d×%d after %s: %q", i, w, wc, s.width, s.height, what, text)
		}
		for _, r := range text {
			if unicode.In(r, unicode.Cc, unicode.Cf) {
				s.t.Fatalf("line %d holds %U after %s: %q", i, r, what, text)
			}
		}
	}
	for mistake := range s.mishaps {
		s.t.Fatalf("after %s: %s", what, mistake)
	}
}

// run carries a command out if it ends soon. Those that wait, for a clock or a cursor's blink, are left alone.
func (s *stage) run(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	out := make(chan tea.Msg, 1)
	go func() { out <- cmd() }()
	limit := time.NewTimer(5 * time.Millisecond)
	defer limit.Stop()
	select {
	case msg := <-out:
		if batch, ok := msg.(tea.BatchMsg); ok {
			for _, c := range batch {
				s.run(c)
			}
		} else if msg != nil {
			s.Update(msg)
		}
	case <-limit.C:
	}
}

// fuzzStage is a screen of any size on which the shop may be open.
func fuzzStage(t *testing.T, d *dice) *stage {
	sizes := [][2]int{{80, 24}, {60, 18}, {120, 40}, {200, 60}, {61, 55}, {300, 100}, {40, 10}}
	size := sizes[d.below(len(sizes))]
	s := newStage(t, size[0], size[1])
	s.cfg.LogFile = "testdata/no.log"
	s.logFile = s.cfg.LogFile
	if d.chance(8) {
		return s
	}
	s.open()
	d.furnish(s)
	return s
}

// act is one thing that happens to the screen.
func (d *dice) act(s *stage) (what string) {
	var msg tea.Msg
	switch d.below(20) {
	case 0, 1, 2, 3, 4, 5, 6:
		a := s.keys[d.below(len(s.keys))]
		keys := a.Keys()
		msg = pressOf(keys[d.below(len(keys))])
	case 7, 8:
		msg = pressOf([]string{"enter", "esc", "tab", "shift+tab", "space", "up", "down", "pgup", "pgdown", "home", "end", "backspace", "ctrl+w", "T", ">", "<"}[d.below(16)])
	case 9:
		r := []rune(d.text() + "x")[0]
		msg = tea.KeyPressMsg{Code: r, Text: string(r)}
	case 10:
		msg = tea.WindowSizeMsg{Width: d.below(256), Height: d.below(90)}
	case 11:
		mouse := tea.Mouse{X: d.below(256), Y: d.below(90), Button: []tea.MouseButton{tea.MouseLeft, tea.MouseWheelUp, tea.MouseWheelDown}[d.below(3)]}
		if msg = tea.MouseClickMsg(mouse); mouse.Button != tea.MouseLeft {
			msg = tea.MouseWheelMsg(mouse)
		}
	case 12:
		msg = tea.PasteMsg{Content: strings.Repeat(d.text(), 1+d.below(50))}
	case 13, 14:
		s.clock = s.clock.Add(time.Duration(d.below(40)) * 100 * time.Millisecond)
		msg = tickMsg(s.clock)
	case 15:
		msg = stateMsg{d.state(s.clock)}
		if s.backend == nil {
			msg = bootMsg{Step: d.text(), Done: d.below(9), Total: d.below(9), Nodes: []kafkaops.Node{{ID: 1, Addr: d.text()}}}
		}
	case 16:
		if msg = d.batch(s.clock); s.backend == nil {
			msg = tickMsg(s.clock)
		}
	case 17:
		s.figs, s.lines = d.figures(), d.timelines(s.clock)
		msg = tickMsg(s.clock)
	case 18:
		msg = checkoutMsg{number: s.lastOrder.number, receipt: Receipt{CheckoutID: d.text(), Took: time.Duration(d.number())}}
		if d.chance(2) {
			msg = checkoutMsg{number: s.lastOrder.number, err: fmt.Errorf("%s", d.text())}
		}
	case 19:
		switch d.below(4) {
		case 0:
			msg = logMsg{text: d.text()}
		case 1:
			msg = faultDoneMsg{fault: kafkaops.Fault{Verb: kafkaops.Kill, Node: 1}, err: fmt.Errorf("%s", d.text())}
			s.acting++
		case 2:
			s.doErr = &kafkaops.RefusedError{Fault: kafkaops.Fault{Verb: kafkaops.Kill, Node: 1}, Reason: d.text()}
			msg = tickMsg(s.clock)
		default:
			msg = tea.BackgroundColorMsg{}
		}
	}
	_, cmd := s.Update(msg)
	if _, key := msg.(tea.KeyPressMsg); key && s.backend != nil {
		s.run(cmd)
	}
	return fmt.Sprintf("%T %v", msg, msg)
}

// pressOf is the press of a key by its name in bindings.
func pressOf(name string) tea.KeyPressMsg {
	mod := tea.KeyMod(0)
	for prefix, m := range map[string]tea.KeyMod{"shift+": tea.ModShift, "ctrl+": tea.ModCtrl} {
		if rest, ok := strings.CutPrefix(name, prefix); ok && rest != "" {
			name, mod = rest, mod|m
		}
	}
	special := map[string]rune{
		"enter": tea.KeyEnter, "esc": tea.KeyEscape, "tab": tea.KeyTab, "up": tea.KeyUp, "down": tea.KeyDown, "left": tea.KeyLeft, "right": tea.KeyRight,
		"pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown, "home": tea.KeyHome, "end": tea.KeyEnd, "backspace": tea.KeyBackspace,
	}
	if code, ok := special[name]; ok {
		return tea.KeyPressMsg{Code: code, Mod: mod}
	}
	if name == "space" {
		return tea.KeyPressMsg{Code: tea.KeySpace, Text: " "}
	}
	k := tea.KeyPressMsg{Code: []rune(name)[0], Mod: mod}
	if mod == 0 {
		k.Text = name
	}
	return k
}

// Whatever keys are pressed, sizes taken and messages received, in any order: nothing panics, and every frame fits its screen.
func FuzzKeys(f *testing.F) {
	f.Add([]byte("5jKy.c2 /abc\x1bz?q"))
	f.Add([]byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13"))
	f.Add([]byte(strings.Repeat("\x0a\x10\x0d\x07", 20)))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := &dice{data: data}
		s := fuzzStage(t, d)
		s.sound("its start")
		for n := 0; !d.done() && n < 200; n++ {
			s.sound(d.act(s))
		}
	})
}

// Whatever a cluster, its records and its shop look like, every pane, view and overlay can be drawn at every size, in both palettes.
func FuzzRender(f *testing.F) {
	f.Add([]byte("kassa"), uint8(80), uint8(24))
	f.Add([]byte(strings.Repeat("\x07\x21\x13\x05\x02", 60)), uint8(60), uint8(18))
	f.Add([]byte(strings.Repeat("\xff\x03\x10\x41", 90)), uint8(200), uint8(60))
	f.Fuzz(renderAll)
}

func renderAll(t *testing.T, data []byte, w, h uint8) {
	d := &dice{data: data}
	s := newStage(t, int(w), int(h)).open()
	d.furnish(s)
	s.styles = newStyles(d.chance(2))
	s.lines = d.timelines(s.clock)
	s.Update(stateMsg{d.state(s.clock)})
	s.Update(d.batch(s.clock))
	s.Update(d.batch(s.clock))
	s.Update(tickMsg(s.clock))
	s.lastOrder = lastCheckout{number: 1, begun: s.clock, done: d.chance(2), receipt: Receipt{CheckoutID: d.text()}, err: fmt.Errorf("%s", d.text())}
	s.cart.user = d.text()
	look := func(keys ...string) {
		for _, k := range keys {
			_, cmd := s.Update(pressOf(k))
			s.run(cmd)
			s.held = false
			s.sound(strings.Join(keys, " "))
		}
	}
	for range 4 { // not all of them each time: a fuzzer learns more from many inputs
		p := fmt.Sprint(1 + d.below(int(lastPane)))
		look([][]string{
			{p, "enter", "pgdown", "esc"},
			{p, "z", "j", "enter"},
			{"esc", p, "space", "k"},
			{"6", "v", "enter", "esc"},
			{"6", "K", "n"},
			{"5", "K", "n", "R"},
			{"T", ">", "T"},
			{"esc", "m", "enter"},
			{"esc", "D", "enter", "G"},
			{"esc", "o", "j"},
			{"esc", "?", "G"},
		}[d.below(11)]...)
	}
}
