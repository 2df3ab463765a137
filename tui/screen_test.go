package tui

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
	"kassa/kafkaops/tail"
	"kassa/kafkaops/watch"
	"kassa/services"
	"kassa/services/events"
	"kassa/services/load"
)

var noon = time.Date(2026, 11, 23, 20, 31, 8, 0, time.UTC)

// stage is a screen with a clock that the test holds, and a record of what was asked of the backend.
type stage struct {
	*Model
	t      testing.TB
	clock  time.Time
	done   []kafkaops.Fault
	lines  []drill.Timeline // what the recorder would have measured
	doErr  error
	plan   load.Plan // of the load
	bursts []int
	loaded load.Figures
	bought int
	user   string        // of the last checkout
	goods  []events.Item // as user
	figs   Figures
	read   int64
}

func (s *stage) Checkout(_ context.Context, userID string, cart []events.Item) (Receipt, error) {
	s.bought++
	s.user, s.goods = userID, cart
	return Receipt{CheckoutID: "7f3a0000-0000-5000-8000-000000000000", Amount: 694970, Took: 38 * time.Millisecond}, nil
}
func (s *stage) Figures() Figures { return s.figs }

// customers is the stage as the load.
type customers struct{ *stage }

func (c customers) Set(p load.Plan) { c.plan = p }
func (c customers) Burst(n int)     { c.bursts = append(c.bursts, n) }
func (c customers) Figures() load.Figures {
	f := c.loaded
	f.Plan = c.plan
	return f
}

func newStage(t testing.TB, w, h int) *stage {
	t.Helper()
	s := &stage{t: t, clock: noon}
	s.Model = New(t.Context(), Config{
		Catalogue: events.DefaultCart(), CartLimit: 100,
		LogFile: "kassa.log", ExportDir: "testdata/nowhere", LoadRate: 50, Now: func() time.Time { return s.clock },
	})
	s.send(tea.WindowSizeMsg{Width: w, Height: h})
	return s
}

// open gives the screen a cluster with a shop.
func (s *stage) open() *stage {
	s.send(readyMsg{backend: &Backend{
		Info: kafkaops.Info{Provider: "local", Version: "4.3.1", Profile: "fast-failover", Why: "Java 17 is here"}, Delivery: "exactly-once",
		Do: func(_ context.Context, f kafkaops.Fault) error {
			s.done = append(s.done, f)
			s.lines = append(s.lines, drill.Timeline{Fault: f, At: s.clock, Probed: true, Open: true})
			return s.doErr
		},
		Timelines: func() []drill.Timeline { return s.lines },
		Shop:      s,
		Load:      customers{s},
	}})
	return s
}

// send runs a message, and the commands that follow from it if they are requests (streams have no channel here).
func (s *stage) send(msg tea.Msg) {
	_, cmd := s.Update(msg)
	if cmd == nil {
		return
	}
	if _, press := msg.(tea.KeyPressMsg); !press {
		return
	}
	if s.filtering || s.field != nil || s.command != nil { // the blinking of the cursor
		return
	}
	s.carry(cmd)
}

// carry does what a command does, and hands its message over.
func (s *stage) carry(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	switch out := cmd().(type) {
	case nil:
	case tea.BatchMsg:
		for _, cmd := range out {
			s.carry(cmd)
		}
	case openedMsg: // what comes of it, the test hands over itself
		s.Update(out)
	case result:
		_, next := s.Update(out)
		s.carry(next)
	default:
		s.Update(out)
	}
}

func (s *stage) press(keys ...string) {
	for _, k := range keys {
		msg := tea.KeyPressMsg{Code: []rune(k)[0], Text: k}
		switch k {
		case "enter":
			msg = tea.KeyPressMsg{Code: tea.KeyEnter}
		case "esc":
			msg = tea.KeyPressMsg{Code: tea.KeyEscape}
		case "tab":
			msg = tea.KeyPressMsg{Code: tea.KeyTab}
		case "space":
			msg = tea.KeyPressMsg{Code: tea.KeySpace, Text: " "}
		case "up":
			msg = tea.KeyPressMsg{Code: tea.KeyUp}
		case "down":
			msg = tea.KeyPressMsg{Code: tea.KeyDown}
		case "shift+tab":
			msg = tea.KeyPressMsg{Code: tea.KeyTab, Mod: tea.ModShift}
		case "backspace":
			msg = tea.KeyPressMsg{Code: tea.KeyBackspace}
		}
		s.send(msg)
	}
}

// types presses each character of a text.
func (s *stage) types(text string) {
	for _, r := range text {
		s.press(string(r))
	}
}

func (s *stage) screen() string { return ansi.Strip(s.View().Content) }

func (s *stage) has(text string) {
	s.t.Helper()
	if !strings.Contains(s.screen(), text) {
		s.t.Errorf("the screen does not show %q:\n%s", text, s.screen())
	}
}

func (s *stage) hasNot(text string) {
	s.t.Helper()
	if strings.Contains(s.screen(), text) {
		s.t.Errorf("the screen shows %q:\n%s", text, s.screen())
	}
}

// cluster is a picture of three healthy brokers with the flow's nine partitions.
func (s *stage) cluster() *watch.State {
	st := &watch.State{At: s.clock, Quorum: watch.Quorum{Leader: 2, Epoch: 14, HighWatermark: 1234, Known: true, Seen: s.clock}}
	for id := int32(1); id <= 3; id++ {
		st.Nodes = append(st.Nodes, watch.Node{
			ID: id, Addr: fmt.Sprintf("127.0.0.1:%d", 9093+id), Health: watch.Up, Since: s.clock.Add(-time.Minute),
			Seen: s.clock, Process: kafkaops.ProcessRunning, PID: 100 + int(id), Leads: 3, Voter: true,
		})
		st.Quorum.Voters = append(st.Quorum.Voters, watch.Replica{ID: id, LogEnd: 1234})
	}
	for _, t := range events.Topics() {
		for p := range int32(3) {
			st.Partitions = append(st.Partitions, watch.Partition{
				Topic: t, ID: p, Leader: p + 1, Epoch: 4, MinISR: 2, Seen: s.clock, From: -1,
				Replicas: []int32{p + 1, (p+1)%3 + 1, (p+2)%3 + 1}, ISR: []int32{1, 2, 3},
			})
		}
	}
	return st
}

// broken is the same cluster after broker 2, the controller, was killed.
func (s *stage) broken() *watch.State {
	st := s.cluster()
	st.Quorum.Leader, st.Quorum.Epoch = 3, 15
	n := &st.Nodes[1]
	n.Health, n.Process, n.PID, n.Leads, n.Led = watch.Down, kafkaops.ProcessExited, 0, 0, 3
	n.Since, n.Seen, n.Err = s.clock.Add(-1100*time.Millisecond), s.clock.Add(-1100*time.Millisecond), "connection refused"
	for i := range st.Partitions {
		p := &st.Partitions[i]
		p.ISR = []int32{1, 3}
		if p.Leader == 2 {
			p.Leader, p.From, p.Epoch, p.Moved = 3, 2, 5, s.clock
		}
	}
	return st
}

func (s *stage) records(n int) {
	b := tail.Batch{At: s.clock, Topics: map[string]tail.Count{}}
	values := map[string]string{
		events.PaymentSuccessful: `{"userId":"u","cart":[],"checkoutId":"%s","amount":6949.7}`,
		events.OrderSuccessful:   `{"userId":"u","orderId":"19c2aaaa-bbbb","checkoutId":"%s"}`,
		events.EmailSuccessful:   `{"userId":"u","emailId":"77e0aaaa-bbbb","checkoutId":"%s"}`,
	}
	for i := range n {
		for _, t := range events.Topics() {
			id := fmt.Sprintf("%04x-checkout", 0x7f3a+i*17)
			b.Records = append(b.Records, tail.Record{
				Topic: t, Partition: int32(i % 3), Offset: int64(i), Time: s.clock.Add(time.Duration(i) * 24 * time.Millisecond),
				Key: []byte(id), Value: fmt.Appendf(nil, values[t], id), Size: len(fmt.Sprintf(values[t], id)),
				Headers: []tail.Header{{Key: "ce_type", Value: []byte(t)}},
			})
		}
	}
	for _, t := range events.Topics() {
		s.read += int64(n) // three topics of one total: only that it grows matters
		b.Topics[t] = tail.Count{Read: s.read}
	}
	s.send(batchMsg(b))
}

// story is the scene of the golden frames: a load, then the controller killed 1.1 s ago.
func (s *stage) story() *stage {
	s.open()
	s.figs = Figures{
		Accepted: 1045, Complete: 1042, InFlight: 3, Revenue: 724158740, FlowP50: 87 * time.Millisecond, FlowP99: 136 * time.Millisecond, AckP50: 4 * time.Millisecond,
		Services: []services.Stats{{Name: "order", Status: services.Running, Handled: 1044, Lag: 0}, {Name: "email", Status: services.Running, Handled: 1042, Lag: 2}, {Name: "analytics", Status: services.Retrying, Err: "no coordinator"}},
	}
	s.send(stateMsg{s.cluster()})
	s.send(tickMsg(s.clock))
	s.records(12)
	s.press("5", "j", "K", "y", "c")
	s.clock = s.clock.Add(1040 * time.Millisecond)
	kill := &s.lines[0]
	kill.Controller, kill.Leads, kill.Open, kill.Took = true, 3, false, 3*time.Millisecond
	kill.Phases = []drill.Phase{
		{Mark: drill.ClientSaw, After: 12 * time.Millisecond, Detail: "disconnected"},
		{Mark: drill.ControllerElected, After: 612 * time.Millisecond, Detail: "3 at epoch 15"},
		{Mark: drill.LeadersMoved, After: 1018 * time.Millisecond, Detail: "3 partitions"},
		{Mark: drill.AcksResumed, After: 1071 * time.Millisecond},
	}
	kill.Gap = drill.Gap{Worst: 1066 * time.Millisecond, Partition: 4, All: 1031 * time.Millisecond, Resumed: s.clock}
	s.send(stateMsg{s.broken()})
	s.records(3)
	s.figs.Accepted += 41
	s.figs.Services[0].Handled += 41
	s.send(tickMsg(s.clock))
	s.notice.text = ""
	return s
}

// A screen that is too small says in one line what is needed.
func TestTooSmall(t *testing.T) {
	s := newStage(t, 59, 18).story()
	if got := strings.TrimSpace(s.screen()); got != "kassa needs 60×18; this is 59×18" {
		t.Errorf("got %q", got)
	}
	for w := 1; w < 140; w += 7 { // a storm of sizes draws something each time
		for h := 1; h < 60; h += 5 {
			s.send(tea.WindowSizeMsg{Width: w, Height: h})
			s.View()
		}
	}
}

// While the cluster comes up the screen says how far it is, and keys that need it do nothing.
func TestBoot(t *testing.T) {
	s := newStage(t, 120, 40)
	s.has("looking for a cluster")
	s.send(bootMsg{Step: "fetching Kafka 4.3.1", Done: 12, Total: 46})
	s.has("fetching Kafka 4.3.1 12/46")
	s.press("c", "b", "5", "K")
	if s.bought != 0 || s.plan != (load.Plan{}) || s.question != nil {
		t.Error("a key reached a shop that is not there")
	}
	s.send(bootMsg{Step: "starting brokers", Done: 1, Total: 3, Nodes: []kafkaops.Node{{ID: 1, Process: kafkaops.ProcessRunning}, {ID: 2, Process: kafkaops.ProcessStarting}}})
	s.has("starting brokers 1/3")
	s.has("2  starting")
}

// A start that fails ends the program with the reason.
func TestBootFails(t *testing.T) {
	s := newStage(t, 80, 24)
	want := &kafkaops.UserError{Message: "install Java 17"}
	_, cmd := s.Update(readyMsg{err: want})
	if cmd == nil || s.Err() != want {
		t.Fatalf("Err is %v", s.Err())
	}
	if _, ok := cmd().(tea.QuitMsg); !ok {
		t.Error("the program goes on")
	}
}

// K asks once, with the price; n leaves the broker alone, y kills it, . does it again without a question.
func TestKillAsksWithThePrice(t *testing.T) {
	s := newStage(t, 120, 40).open()
	s.send(stateMsg{s.cluster()})
	s.press("5", "j", "K")
	s.has("Kill -9 broker 2?")
	s.has("controller")
	s.has("3 partitions")
	s.press("n")
	s.hasNot("Kill -9 broker 2?")
	if len(s.done) != 0 {
		t.Fatalf("n did %v", s.done)
	}
	s.press("K", "y")
	if want := (kafkaops.Fault{Verb: kafkaops.Kill, Node: 2}); len(s.done) != 1 || s.done[0] != want {
		t.Fatalf("did %v, want %v", s.done, want)
	}
	s.press("k", ".")
	if want := (kafkaops.Fault{Verb: kafkaops.Kill, Node: 1}); len(s.done) != 2 || s.done[1] != want {
		t.Fatalf("repeat did %v, want %v", s.done, want)
	}
	s.doErr = &kafkaops.RefusedError{Fault: kafkaops.Fault{Verb: kafkaops.Kill, Node: 1}, Reason: "it is already down"}
	s.press(".")
	s.has("cannot kill broker 1: it is already down")
}

// Keys do what works here and now: a broker that is down can be started, not killed, and faults need the broker pane.
func TestKeysFitTheState(t *testing.T) {
	s := newStage(t, 120, 40).open()
	s.send(stateMsg{s.broken()})
	s.press("1", "K")
	if s.question != nil || s.focus != paneBrokers {
		t.Error("K outside of the broker pane must only lead there")
	}
	s.press("j", "K")
	if s.question != nil {
		t.Error("a dead broker cannot be killed")
	}
	s.press("S")
	s.has("Start broker 2?")
	s.press("enter")
	if want := (kafkaops.Fault{Verb: kafkaops.Start, Node: 2}); len(s.done) != 1 || s.done[0] != want {
		t.Fatalf("did %v", s.done)
	}
}

// x cuts a broker off only where brokers have networks of their own, says that it is cut off, and gives the network back.
func TestCuttingABrokerOff(t *testing.T) {
	s := newStage(t, 120, 40).open()
	s.send(stateMsg{s.cluster()})
	s.press("5", "j", "x")
	if s.question != nil {
		t.Fatal("a broker without a network of its own cannot be cut off")
	}
	st := s.cluster()
	st.Nodes[1].Can = []kafkaops.Verb{kafkaops.Cut, kafkaops.Reconnect}
	s.send(stateMsg{st})
	s.press("x")
	s.has("Cut broker 2?")
	s.has("heard by nobody")
	s.press("y")
	st = s.cluster()
	st.Nodes[1].Can = []kafkaops.Verb{kafkaops.Cut, kafkaops.Reconnect}
	st.Nodes[1].Process, st.Nodes[1].Health = kafkaops.ProcessCut, watch.Cut
	s.send(stateMsg{st})
	s.has("CUT")
	s.press("x")
	s.has("Reconnect broker 2?")
	s.press("y")
	want := []kafkaops.Fault{{Verb: kafkaops.Cut, Node: 2}, {Verb: kafkaops.Reconnect, Node: 2}}
	if !slices.Equal(s.done, want) {
		t.Errorf("did %v, want %v", s.done, want)
	}
}

// A leader that moved, a broker that is down and a fault that was done are seen in every pane that they touch.
func TestAFaultIsSeen(t *testing.T) {
	s := newStage(t, 120, 40).story()
	for _, text := range []string{
		"2/3 up", "controller 3", "under-replicated 9", // header
		"DOWN 1.1 s", "led 3", // brokers
		"2→3", "1 3 ·2", // partitions
		"kill -9 broker 2", "write gap 1,066 ms", "leaders moved (3 partitions) +1,018 ms", "controller elected (3 at epoch 15) +612 ms", // timeline
		"── kill -9 broker 2", // tails
	} {
		s.has(text)
	}
	s.hasNot("lost")
}

// Without a quorum the picture says so, and how old it is. A dead leader that the frozen metadata still names is marked.
func TestNoQuorum(t *testing.T) {
	s := newStage(t, 120, 40).open()
	st := s.cluster()
	for i := range 2 {
		st.Nodes[i].Health, st.Nodes[i].Process = watch.Down, kafkaops.ProcessExited
	}
	st.Quorum.Known, st.Quorum.Lost = false, true
	st.Partitions[1].From, st.Partitions[1].Moved = 3, s.clock // it moved to broker 2 just before that died too
	s.clock = s.clock.Add(5 * time.Second)
	s.send(stateMsg{st})
	s.has("NO QUORUM")
	s.has("metadata is frozen")
	s.has("controller?")
	s.has("1?")
	s.has("2?")
	s.hasNot("3→2")
	s.has("5.0 s old")
	s.has("frozen for 5.0 s")
}

// That brokers are silent is not taken for the loss of the quorum: nobody can say.
func TestASilentQuorum(t *testing.T) {
	for _, w := range []int{60, 120} {
		s := newStage(t, w, 40).open()
		s.send(stateMsg{s.cluster()})
		st := s.cluster()
		for i := range 2 {
			st.Nodes[i].Health, st.Nodes[i].Err = watch.Unknown, "no answer in time"
		}
		st.Quorum.Known = false
		s.clock = s.clock.Add(2 * time.Second)
		s.send(stateMsg{st})
		for _, text := range []string{"quorum ?", "not known for 2.0 s", "controller?"} {
			s.has(text)
		}
		if w >= 120 {
			s.has("quorum not known for 2.0 s")
			s.has("seen: broker 1 silent")
		}
		s.press("6", "v", "v", "z")
		s.has("quorum ?: last known leader 2, epoch 14")
		for _, text := range []string{"NO QUORUM", "no quorum", "frozen", "quorum lost", "WRITES WAIT"} {
			s.hasNot(text)
		}
		s.press("esc")
		st = s.cluster()
		s.send(stateMsg{st})
		s.hasNot("quorum ?")
		s.hasNot("quorum back")
	}
}

// c checks out from everywhere and tells how it went.
func TestCheckout(t *testing.T) {
	s := newStage(t, 80, 24).open()
	s.press("c")
	s.has("✓ acked 38 ms 7f3a")
	s.lastOrder.number++ // the answer of an older checkout does not overwrite a newer one
	s.lastOrder.done = false
	s.send(checkoutMsg{number: 1, err: errors.New("late")})
	s.hasNot("late")
	s.press("3", "c", "5", "c")
	if s.bought != 3 {
		t.Errorf("bought %d times, want 3", s.bought)
	}
}

// space stops the view, not the reading; f goes to the end again.
func TestPauseAndFollow(t *testing.T) {
	s := newStage(t, 120, 40).open()
	s.send(stateMsg{s.cluster()})
	s.records(4)
	s.press("2", "space")
	before := s.tails[panePayment].selected().seq
	s.records(9)
	s.has("PAUSED +9")
	if got := s.tails[panePayment].selected().seq; got != before {
		t.Errorf("the view moved from %d to %d", before, got)
	}
	if s.tails[panePayment].count.Read != 3*4+9 {
		t.Error("a paused tail stopped counting")
	}
	s.press("f")
	s.hasNot("PAUSED")
	if got := s.tails[panePayment].selected().seq; got != 12 {
		t.Errorf("following ends at row %d, want 12", got)
	}
}

// / filters while typing, keys are text then, enter keeps it, esc clears it.
func TestFilter(t *testing.T) {
	s := newStage(t, 120, 40).open()
	s.records(5)
	s.press("2", "/", "7", "F", "4", "b", "q", "c")
	if s.bought != 0 {
		t.Error("c checked out while typing")
	}
	s.has("nothing matches")
	s.press("esc")
	s.has("7f3a Rs 6,949.70")
	s.press("/", "7", "f", "4", "B", "enter")
	s.has("/7f4B")
	pane := s.tails[panePayment]
	if got := len(pane.visible()); got != 1 {
		t.Errorf("%d rows match, want 1", got)
	}
	s.press("esc")
	if got := len(pane.visible()); got != 5 {
		t.Errorf("%d rows after esc, want 5", got)
	}
}

// A filter that is longer than its line shows where one types.
func TestALongFilterIsSeenWhereOneTypes(t *testing.T) {
	s := newStage(t, 60, 18).open()
	s.says("pane payment")
	s.says("filter " + strings.Repeat("x", 100))
	s.press("/")
	s.types("END")
	if got := s.lastLine(); !strings.Contains(got, "xEND") || !strings.Contains(got, "enter keeps it, esc clears it") {
		t.Errorf("the last line is %q", got)
	}
}

// What ctrl+v finds in the clipboard goes into the filter as a paste of the terminal does: made safe, and looked for at once. The clipboard is a program,
// which is looked for when a program starts: the test starts itself beside one of its own.
func TestTheClipboardGoesIntoTheFilter(t *testing.T) {
	const inside = "KASSA_TEST_CLIPBOARD"
	if os.Getenv(inside) == "" {
		dir := t.TempDir()
		for _, name := range []string{"xclip", "pbpaste"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\nprintf '7f4b\\342\\200\\256'\n"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), inside+"=1", "WAYLAND_DISPLAY=", "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return
	}
	s := newStage(t, 120, 40).open()
	s.records(5)
	s.press("2", "/")
	_, paste := s.Update(tea.KeyPressMsg{Code: 'v', Mod: tea.ModCtrl})
	if paste == nil {
		t.Fatal("ctrl+v asks nobody")
	}
	s.Update(paste())
	if got := s.tail().filter; got != "7f4b·" || s.filter.Value() != got {
		t.Errorf("the filter is %q, in the line is %q", got, s.filter.Value())
	}
}

// y says how much of a value it copies, and copies no nothing.
func TestCopyingSaysHowMuch(t *testing.T) {
	for _, c := range []struct {
		value  []byte
		size   int
		says   string
		copies bool
	}{
		{[]byte("whole"), 5, "copied 5 bytes", true},
		{make([]byte, tail.MaxValue), 1 << 20, "copied the first 65,536 of 1,048,576 bytes: the screen holds no more of it", true},
		{[]byte{}, 0, "the value is empty: nothing is copied", false},
		{nil, 0, "a tombstone has no value: nothing is copied", false},
	} {
		s := newStage(t, 120, 40).open()
		s.come(tail.Record{Topic: events.PaymentSuccessful, Key: []byte("k"), Value: c.value, Size: c.size, Time: noon})
		s.press("2")
		if cmd := s.copyRecord(); cmd != nil != c.copies {
			t.Errorf("%q: something is copied: %v", c.says, cmd != nil)
		}
		s.saidNow(c.says)
		if s.press("i", "y"); c.copies {
			s.saidNow(c.says)
		}
	}
}

// enter opens a record with all that it has.
func TestInspect(t *testing.T) {
	s := newStage(t, 120, 40).open()
	s.records(3)
	s.press("2", "k", "i")
	for _, text := range []string{"partition", "offset", "7f4b-checkout", "ce_type", `"amount": 6949.7`, "2026-11-23"} {
		s.has(text)
	}
	s.press("esc")
	s.hasNot(`"amount": 6949.7`)
}

// What strangers write into records reaches the terminal as text only.
func TestHostileRecords(t *testing.T) {
	hostile := []string{"\x1b[2J\x1b]0;owned\x07", "a\u202eb\u2066", "\xff\xfe\x80", strings.Repeat("x", 70000), "", "\u009b31m", "wide 漢字 e\u0301 👩‍👩‍👧", "\x00\r\n\t"}
	for i, value := range hostile {
		s := newStage(t, 80, 24).open()
		r := tail.Record{Topic: events.PaymentSuccessful, Key: []byte(value), Value: []byte(value), Size: len(value), Time: noon, Headers: []tail.Header{{Key: value, Value: []byte(value)}}}
		if len(value) > 1000 {
			r.Value, r.Size = r.Value[:1000], 1<<20
		}
		s.send(batchMsg{At: noon, Records: []tail.Record{r}})
		for _, keys := range [][]string{{"2"}, {"enter"}, {"esc", "z"}} {
			s.press(keys...)
			frame := s.View().Content
			for _, bad := range []string{"\x1b[2J", "\x1b]", "\u202e", "\u2066", "\u009b", "\x00", "\r", "\a"} {
				if strings.Contains(frame, bad) {
					t.Errorf("record %d puts %q on the screen", i, bad)
				}
			}
			for _, l := range strings.Split(frame, "\n") {
				if w := ansi.StringWidth(l); w > 80 {
					t.Errorf("record %d makes a line %d wide: %q", i, w, ansi.Strip(l))
				}
			}
		}
	}
}

// Each key of a broker asks, or says why it does not, whatever the broker's state.
func TestKeysOfABrokerAskOrSayWhyNot(t *testing.T) {
	all := []kafkaops.Verb{kafkaops.Kill, kafkaops.Stop, kafkaops.Start, kafkaops.Restart, kafkaops.Pause, kafkaops.Resume, kafkaops.Cut, kafkaops.Reconnect}
	says := map[kafkaops.Process]map[string]string{
		kafkaops.ProcessRunning: {"S": "broker 2 runs, and cannot be started"},
		kafkaops.ProcessExited:  {"K": "broker 2 is down, and cannot be killed", "x": "broker 2 is down, and cannot be cut off"},
		kafkaops.ProcessPaused:  {"s": "broker 2 is paused, and cannot be stopped", "r": "broker 2 is paused, and cannot be restarted"},
		kafkaops.ProcessUnknown: {"p": "broker 2 is not known to run here, and cannot be paused"},
	}
	for process := kafkaops.ProcessUnknown; process <= kafkaops.ProcessCut; process++ {
		for _, can := range [][]kafkaops.Verb{nil, all} {
			for _, key := range []string{"K", "S", "s", "p", "r", "x"} {
				s := newStage(t, 120, 40).open()
				st := s.cluster()
				st.Nodes[1].Process, st.Nodes[1].Can = process, can
				s.send(stateMsg{st})
				s.press("5", "j", key)
				if (s.question == nil) == (s.notice.text == "") {
					t.Errorf("%s on a broker that is %s (can %v): question %v, notice %q", key, process, can, s.question, s.notice.text)
				}
				want := says[process][key]
				if key == "x" && can == nil {
					want = "a broker of this cluster (local) cannot be cut off"
				}
				if !strings.Contains(s.notice.text, want) {
					t.Errorf("%s on a broker that is %s says %q, want %q", key, process, s.notice.text, want)
				}
			}
		}
	}
	s := newStage(t, 120, 40)
	s.press("5", "K")
	s.saidNow("nothing is known of the cluster yet")
	s.open()
	st := s.cluster()
	st.Partitions[0].Leader = -1
	s.send(stateMsg{st})
	s.press("6", "x")
	s.saidNow("nobody leads this partition")
	s.press("/", "z", "z", "enter", "x")
	s.saidNow("no partition is shown that this could be about: esc shows all")
}

// A ring keeps the newest rows, within its bounds of rows and bytes, and positions stay true.
func TestRingBounds(t *testing.T) {
	var r ring
	for i := range 5 * ringRows {
		r.push(row{record: tail.Record{Offset: int64(i)}})
	}
	if len(r.rows) != ringRows || r.at(r.next-1).record.Offset != 5*ringRows-1 || r.at(r.first()).record.Offset != 4*ringRows || r.at(r.first()-1) != nil {
		t.Errorf("%d rows from %d to %d", len(r.rows), r.first(), r.next)
	}
	big := make([]byte, tail.MaxValue)
	for range 1000 {
		r.push(row{record: tail.Record{Value: big}})
	}
	if r.bytes > ringBytes {
		t.Errorf("the ring holds %d bytes", r.bytes)
	}
	for range 3000 {
		r.push(row{record: tail.Record{Key: []byte("key"), Headers: []tail.Header{{Key: "trace", Value: make([]byte, 100<<10)}}}})
	}
	held := 0
	for _, w := range r.rows {
		held += len(w.record.Key) + len(w.record.Value)
		for _, h := range w.record.Headers {
			held += len(h.Key) + len(h.Value)
		}
	}
	if held > ringBytes || r.bytes > ringBytes || len(r.rows) < 2 {
		t.Errorf("%d rows hold %d bytes with their headers, and are taken for %d", len(r.rows), held, r.bytes)
	}
}

// Every key in the help works somewhere, and every key that works is in the help.
func TestHelpListsEveryKey(t *testing.T) {
	s := newStage(t, 120, 120).open()
	s.press("?")
	for _, a := range s.keys {
		if a.group == "" && a.do != nil {
			t.Errorf("%v is in no group of the help", a.Keys())
		}
	}
	for _, text := range []string{"K", "space", "shift+tab", "kassa's log", "quit", "1→3"} {
		s.has(text)
	}
	s.press("esc")
	s.hasNot("Signs")
}

func BenchmarkFrame(b *testing.B) {
	s := newStage(b, 120, 40)
	s.story()
	b.ReportAllocs()
	for b.Loop() {
		s.dirtyAll()
		s.held = false // else it is the last frame again
		_ = s.View()
	}
}

// That the brokers come up when the program starts is no event; that one goes down later, by itself, is.
func TestTimelineBeginsWhenAllIsKnown(t *testing.T) {
	s := newStage(t, 120, 40).open()
	starting := s.cluster()
	starting.Quorum.Known = false
	for i := range starting.Nodes {
		starting.Nodes[i].Health = watch.Starting
	}
	s.send(stateMsg{starting})
	s.send(stateMsg{s.cluster()})
	s.has("nothing has been done to the cluster yet")
	s.send(stateMsg{s.broken()})
	s.has("seen: broker 2 down")
}

// What dies by itself soon after a fault is told, and marked in the tails; what was done to it, and what follows a fault, is not told twice.
func TestABrokerThatDiesByItselfAfterAFault(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*stage)
		told bool
	}{
		{"by itself", func(*stage) {}, true},
		{"it was done to this one too", func(s *stage) { s.press("j", "K", "y") }, false},
		{"it was done to this one too, by a drill", func(s *stage) {
			s.lines = append(slices.Clone(s.lines), drill.Timeline{Fault: kafkaops.Fault{Verb: kafkaops.Kill, Node: 3}, At: s.clock})
		}, false},
		{"another act is under way", func(s *stage) { s.acting++ }, false},
		{"one goes after the other", func(s *stage) { s.lines[0].Fault = kafkaops.Fault{Verb: kafkaops.Rolling} }, false},
	} {
		s := newStage(t, 120, 40).open()
		s.send(stateMsg{s.cluster()})
		s.records(3)
		s.press("5", "j", "K", "y")
		s.clock = s.clock.Add(5 * time.Second)
		s.send(stateMsg{s.broken()})
		if len(s.timeline.acts) > 0 {
			t.Fatalf("what the fault did is told apart from it: %+v", s.timeline.acts)
		}
		c.do(s)
		st := s.broken()
		st.Nodes[2].Health, st.Nodes[2].Process = watch.Down, kafkaops.ProcessExited
		st.Quorum.Known, st.Quorum.Lost = false, true
		s.send(stateMsg{st})
		if got := len(s.timeline.acts) > 0; got != c.told {
			t.Errorf("%s: told: %v", c.name, got)
		}
		if c.told {
			s.has("seen: broker 3 down")
			s.has("── broker 3 down")
			s.hasNot("quorum lost")
		}
	}
}

// A fault's phases are drawn as bars, and the gaps of the session compared.
func TestAMeasuredFault(t *testing.T) {
	s := newStage(t, 120, 40).story()
	s.press("7", "enter")
	for _, text := range []string{
		"it led the quorum, it led 3 watched partitions, the act took 3 ms",
		"client saw it (disconnected)", "12 ms ", "1,018 ms ━━━━━",
		"write gap 1,066 ms", "in partition 4 of kassa-probe; no partition at all took a write for 1,031 ms",
		"kill of the controller", "  1    1,066 ms    1,066 ms",
	} {
		s.has(text)
	}
}

// A fault that is open goes on in front of whoever looks at it; one that ended before writes went on says that its figure is a lower bound.
func TestAFaultWhoseWritesAreStalled(t *testing.T) {
	s := newStage(t, 120, 40).story()
	s.clock = s.clock.Add(time.Minute)
	s.press("5", "k", "K", "y", "7", "enter")
	s.has("nothing has followed yet")
	s.lines = slices.Clone(s.lines)
	second := &s.lines[1]
	second.Gap = drill.Gap{Worst: 62 * time.Second, Partition: 1, Open: true}
	s.clock = s.clock.Add(62 * time.Second)
	s.send(tickMsg(s.clock))
	s.has("writes stalled for 62.0 s")
	s.hasNot("at least")
	s.timeline.acts = nil
	s.send(stateMsg{s.cluster()})
	if len(s.timeline.acts) > 0 {
		t.Errorf("what follows a fault that is not over was filed apart from it: %+v", s.timeline.acts)
	}

	s.lines = slices.Clone(s.lines)
	second = &s.lines[1]
	second.Gap.Worst, second.Open = 200*time.Second, false
	s.send(tickMsg(s.clock))
	for _, text := range []string{
		"writes stalled for at least ", " 200.0 s ━━", "━▶ ", "write gap at least 200.0 s, not over when measuring ended",
		"kill                                   0           –           –  and 1 of at least 200.0 s",
		"kill of the controller                 1    1,066 ms    1,066 ms",
	} {
		s.has(text)
	}
	s.press("esc")
	s.has("write gap at least 200.0 s")
	s.hasNot("writes stalled")
}

// Acts by role hit whoever plays it, also when they are repeated; those on the whole cluster name no broker.
func TestFaultsByRole(t *testing.T) {
	s := newStage(t, 120, 40).open()
	s.send(stateMsg{s.cluster()})
	s.press("5", "C", "K")
	s.has("Kill -9 broker 2, controller?")
	s.press("y")
	s.send(stateMsg{s.broken()})
	s.press(".")
	s.press("6", "g", "s")
	s.has("Stop broker 1, leader of payment-successful/0?")
	s.press("y", "e", "y", "5", "R")
	s.has("2 of 3 brokers are up: a restart would be a second loss")
	s.press("y")
	want := []kafkaops.Fault{
		{Verb: kafkaops.Kill, Node: 2, Role: kafkaops.Controller},
		{Verb: kafkaops.Kill, Node: 3, Role: kafkaops.Controller},
		{Verb: kafkaops.Stop, Node: 1, Role: kafkaops.LeaderOf("payment-successful", 0)},
		{Verb: kafkaops.Elect},
		{Verb: kafkaops.Rolling},
	}
	if !slices.Equal(s.done, want) {
		t.Errorf("did %v", s.done)
	}
}

// Who was chosen as the controller and is dead with the quorum can be started all the same.
func TestADeadControllerIsStartedByItsNumber(t *testing.T) {
	s := newStage(t, 120, 40).open()
	s.send(stateMsg{s.cluster()})
	s.press("5", "C", "K", "y")
	st := s.cluster()
	for i := range 2 {
		st.Nodes[i].Health, st.Nodes[i].Process = watch.Down, kafkaops.ProcessExited
	}
	st.Quorum.Known, st.Quorum.Lost = false, true // its leader is still what was last known
	s.send(stateMsg{st})
	s.press("S")
	s.has("Start broker 2?")
	s.press("y")
	if got, want := s.done[len(s.done)-1], (kafkaops.Fault{Verb: kafkaops.Start, Node: 2}); got != want {
		t.Errorf("did %v", got)
	}
}

func TestAPaneWithoutAPlaceHasTheWholeScreenUntilItIsLeft(t *testing.T) {
	s := newStage(t, 120, 40).open()
	s.press("5", "9")
	s.has("9 analytics")
	s.hasNot("4 email")
	s.press("8")
	s.has("8 services")
	s.press("esc")
	s.has("4 email")
	if s.focus != paneBrokers || s.zoomed {
		t.Errorf("back leads to pane %d, zoomed %v, and not to the brokers as they were", s.focus, s.zoomed)
	}
	s.press("z", "9", "z") // from a zoomed pane it is an ordinary zoom
	s.has("4 email")
}

func TestWhatWaitsInAnOutageIsNotCutOff(t *testing.T) {
	s := newStage(t, 120, 40).open()
	s.figs = Figures{InFlight: 681, Pending: 4604, Refused: 12}
	s.send(tickMsg(s.clock))
	s.has("681 in flight")
	s.has("4,604 unacked")
}

// A fault that failed says so wherever it is told of, though something followed.
func TestAFaultThatFailed(t *testing.T) {
	for _, w := range []int{80, 89, 90, 120, 200} {
		s := newStage(t, w, 40).story()
		s.lines[0].Err = "no such process\x1b[2J"
		s.send(tickMsg(s.clock))
		s.press("7", "z")
		s.has("kill -9 broker 2  failed: no such process␛[2J")
		s.has("client saw")
		s.press("enter")
		if lines := ansi.Strip(strings.Join(s.overlay.live(), "\n")); !strings.Contains(lines, "failed: no such process␛[2J") {
			t.Errorf("at %d what is measured does not say that it failed:\n%s", w, lines)
		}
	}
}

// On a narrow screen the header leaves out the figures before it leaves out that they are of no real brokers, and of what is as important the last.
func TestTheHeaderSaysSimulated(t *testing.T) {
	for _, n := range []int{3, 12, 150} {
		for w := 60; w <= 70; w++ {
			s := newStage(t, w, 24).open()
			s.backend.Info.Simulated = true
			st := s.crowded(0)
			st.Quorum.Known, st.Quorum.Lost = false, true
			for i := range n {
				if i >= len(st.Nodes) {
					st.Nodes = append(st.Nodes, watch.Node{ID: int32(i + 1)})
				}
				st.Nodes[i].Health, st.Nodes[i].Process = watch.Down, kafkaops.ProcessExited
			}
			for i := range n {
				if i >= len(st.Partitions) {
					p := st.Partitions[0]
					p.ID = int32(i)
					st.Partitions = append(st.Partitions, p)
				}
			}
			for i := range st.Partitions {
				st.Partitions[i].Leader, st.Partitions[i].ISR = -1, nil
			}
			s.send(stateMsg{st})
			head, _, _ := strings.Cut(s.screen(), "\n")
			for _, text := range []string{"SIMULATED", fmt.Sprintf("0/%d up", n), "NO QUORUM", "offline"} {
				if !strings.Contains(head, text) {
					t.Errorf("at %d with %d brokers the header lacks %q: %q", w, n, text, head)
				}
			}
		}
	}
}
