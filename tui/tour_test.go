package tui

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/exp/golden"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
	"kassa/kafkaops/tail"
	"kassa/kafkaops/watch"
	"kassa/services/events"
)

// visitor is a stage on which somebody takes the tour. Its cluster is a small model: who is down, who leads the quorum.
type visitor struct {
	*stage
	down []int32
	boss int32
	n    int
}

func newVisitor(t testing.TB, w, h int) *visitor {
	v := &visitor{stage: newStage(t, w, h).open(), boss: 2}
	v.see()
	v.press("T")
	return v
}

// see shows the screen the cluster as it is.
func (v *visitor) see() {
	st := v.cluster()
	up := func(id int32) bool { return !slices.Contains(v.down, id) }
	if !up(v.boss) {
		for id := int32(1); id <= 3; id++ {
			if up(id) {
				v.boss = id
			}
		}
	}
	st.Quorum.Leader, st.Quorum.Known, st.Quorum.Lost = v.boss, len(v.down) < 2, len(v.down) >= 2
	for i := range st.Nodes {
		n := &st.Nodes[i]
		n.Can = []kafkaops.Verb{kafkaops.Kill, kafkaops.Start}
		if !up(n.ID) {
			n.Health, n.Process, n.Leads, n.Led = watch.Down, kafkaops.ProcessExited, 0, 3
		}
	}
	for i := range st.Partitions {
		p := &st.Partitions[i]
		if len(v.down) >= 2 {
			continue // frozen
		}
		p.ISR = slices.DeleteFunc(slices.Clone(p.Replicas), func(id int32) bool { return !up(id) })
		if old := p.Leader; !up(old) {
			p.Leader, p.From, p.Moved = p.ISR[0], old, v.clock
		}
	}
	v.send(stateMsg{st})
	v.tick()
}

func (v *visitor) tick() {
	v.clock = v.clock.Add(100 * time.Millisecond)
	v.send(tickMsg(v.clock))
}

// kill takes a broker away, as the person asks for or as somebody else does it; start brings it back.
func (v *visitor) kill(id int32)  { v.fault(kafkaops.Kill, id) }
func (v *visitor) start(id int32) { v.fault(kafkaops.Start, id) }

func (v *visitor) fault(verb kafkaops.Verb, id int32) {
	v.clock = v.clock.Add(time.Second)
	l := drill.Timeline{
		Fault: kafkaops.Fault{Verb: verb, Node: id}, At: v.clock, Probed: true, Leads: 3, Controller: v.boss == id && verb == kafkaops.Kill,
		Gap: drill.Gap{Worst: 1066 * time.Millisecond},
		Phases: []drill.Phase{
			{Mark: drill.LeadersMoved, After: 1018 * time.Millisecond, Detail: "3 partitions"},
			{Mark: drill.AcksResumed, After: 1071 * time.Millisecond},
		},
	}
	if verb == kafkaops.Kill {
		v.down = append(v.down, id)
		if l.Controller {
			l.Phases = append(l.Phases, drill.Phase{Mark: drill.ControllerElected, After: 612 * time.Millisecond, Detail: "3 at epoch 15"})
		}
	} else {
		v.down = slices.DeleteFunc(v.down, func(n int32) bool { return n == id })
		l.Phases = append(l.Phases, drill.Phase{Mark: drill.ISRFull, After: 2100 * time.Millisecond})
	}
	if len(v.down) >= 2 {
		l.Gap.Open = true
	}
	v.lines = append(slices.Clone(v.lines), l)
	v.see()
}

// buy is an order that goes through: its three records come, and it counts.
func (v *visitor) buy() {
	v.press("c")
	v.flows()
}

func (v *visitor) flows() {
	v.n++
	v.figs.Accepted++
	v.figs.Complete++
	v.records(1)
	v.payment("7f3a0000-0000-5000-8000-000000000000", 1)
	v.send(batchMsg{At: v.clock, Records: []tail.Record{{
		Topic: events.EmailSuccessful, Partition: 1, Time: v.clock.Add(87 * time.Millisecond), Key: []byte("7f3a0000-0000-5000-8000-000000000000"), Value: []byte("{}"), Size: 2,
	}}})
	v.tick()
}

// says fails unless the tour says this, in a screen of the right shape with a text that fits at every width.
func (v *visitor) says(step int, texts ...string) {
	v.t.Helper()
	frame := v.View().Content
	flat := strings.Join(strings.Fields(ansi.Strip(strings.Join(v.renderTour(v.width), " "))), " ")
	for _, text := range append(texts, fmt.Sprintf("tour %d/8", step)) {
		if !strings.Contains(flat, text) {
			v.t.Errorf("step %d does not say %q but %q", step, text, flat)
		}
	}
	lines := strings.Split(frame, "\n")
	if len(lines) != v.height {
		v.t.Errorf("step %d: %d lines on a screen of %d", step, len(lines), v.height)
	}
	for i, l := range lines {
		if w := ansi.StringWidth(l); w > v.width {
			v.t.Errorf("step %d: line %d is %d wide", step, i, w)
		}
	}
	for _, w := range []int{60, 75, 76, 109, 110, 149, 150, 300} {
		if n := len(wrapKeys(v.tourText(), w-2, v.styles)); n > tourRows(w)-1 {
			v.t.Errorf("step %d needs %d lines of %d cells: %s", step, n, w, v.tourText())
		}
	}
	if n := strings.Count(v.tourText(), ". ") + 1; n > 4 {
		v.t.Errorf("step %d makes %d sentences: %s", step, n, v.tourText())
	}
}

// The tour from end to end, as it tells one to: each step waits for its act and then says what happened, with the figures of the run.
func TestTour(t *testing.T) {
	for _, size := range [][2]int{{60, 18}, {80, 24}, {120, 40}, {200, 60}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			v := newVisitor(t, size[0], size[1])
			keep := func(step string) {
				if size[0] == 80 || size[0] == 200 {
					return
				}
				t.Run(step, func(t *testing.T) { golden.RequireEqual(t, v.View().Content) })
			}
			v.says(1, "press c", "skip")
			v.tick()
			v.says(1, "press c")
			v.buy()
			v.says(1, "✓", "order 7f3a on 3 brokers", "after 38 ms", "after 87 ms", "go on")
			v.press(">")
			v.says(2, "Press 2, then i", "skip")
			v.press("2", "i")
			v.says(2, "✓", "number 41 in partition 1", "broker 2 leads", "Brokers 1 and 3 copy")
			v.has("partition ") // the record is open beside the tour
			v.press(">")
			v.hasNot("ce_type")
			v.says(3, "Broker 2 leads your order's partition. Kill it")
			keep("kill")
			v.kill(2)
			v.says(3, "✓", "Broker 2 is gone, and the 3 partitions that it led", "order 7f3a is on brokers 1 and 3")
			v.press(">")
			v.says(4, "2→3 means that broker 3 took over from broker 2", "Press c")
			v.buy()
			v.says(4, "✓", "1,018 ms after the fault", "writes waited 1,066 ms at most", "needed 38 ms", "on 2 brokers")
			v.press(">")
			v.says(5, "Start broker 2 again")
			v.start(2)
			v.says(5, "✓", "2,100 ms after its start")
			v.press(">")
			v.says(6, "the controller, now broker 3")
			v.kill(3)
			v.says(6, "✓", "broker 3, 612 ms after the fault", "waited 1,066 ms")
			v.press(">")
			v.says(7, "What if one more goes?")
			v.kill(1)
			v.says(7, "What becomes of an order? Press c.")
			v.stuck()
			v.says(7, "✓", "Kafka does not say yes", "safe on broker 2")
			v.clock = v.clock.Add(12 * time.Second)
			v.says(7, "for 12.1 s so far")
			keep("waits")
			v.press(">")
			v.says(8, "Start broker 1 again")
			v.start(1)
			v.figs.Pending = 0
			v.send(checkoutMsg{number: v.lastOrder.number, receipt: Receipt{CheckoutID: "90aa", Took: 14 * time.Second}})
			v.says(8, "wait until what is in flight is complete")
			v.flows()
			v.says(8, "✓", "1,071 ms after its start", "had waited 14.0 s", "3 orders were acknowledged and 3 are complete", "end")
			v.press(">")
			if v.tour.open || v.tour.begun {
				t.Error("the tour goes on after its end")
			}
			v.has("that was the tour")
		})
	}
}

// stuck is an order that is not answered.
func (v *visitor) stuck() {
	v.lastOrder = lastCheckout{number: v.lastOrder.number + 1, begun: v.clock}
	v.figs.Pending = 1
	v.tick()
}

// Whatever else happens, the tour says something that is true and leads on.
func TestTheTourLivesWithWhatElseHappens(t *testing.T) {
	v := newVisitor(t, 80, 24)
	v.buy()
	v.press(">", ">") // where it is kept: skipped
	v.says(3, "Broker 2 leads your order's partition")
	v.kill(3) // another one than told, which happens to be no controller
	v.says(3, "✓", "Broker 3 is gone; broker 2, which leads your order's partition, lives on.", "brokers 1 and 2 as well")
	v.press(">")
	v.kill(1) // and a second one
	v.says(4, "Writes wait, for two brokers are not there", "Start broker 1 again")
	v.start(1)
	v.buy()
	v.says(4, "✓", "took over each partition")
	v.press(">")
	v.start(3)
	v.press(">")
	v.kill(1)
	if v.boss != 2 {
		t.Fatal("broker 1 was to be no controller")
	}
	v.says(6, "Broker 1 is not the one that this step is about. Start broker 1 again first")
	v.start(1)
	v.says(6, "the controller, now broker 2")
	v.kill(2)
	v.says(6, "✓")
	v.start(2)
	v.press(">")
	v.says(7, "Kill brokers until one is left")
}

// It can be left and taken up, gone back in and skipped; what was done stays done, and what is done while it is away counts.
func TestTheTourCanBeLeftAndTakenUp(t *testing.T) {
	v := newVisitor(t, 120, 40)
	v.buy()
	v.press(">", "T")
	v.hasNot("tour 2/8")
	v.has("T takes it up again")
	v.kill(1)
	v.press("T")
	v.says(2, "skip")
	v.press("<")
	v.says(1, "✓", "go on", "after 38 ms")
	v.press("<", "<")
	v.says(1, "✓")
	v.press(">", ">") // to 2, past it
	v.says(3, "✓", "Broker 1 is gone")
	for range 6 {
		v.press(">")
	}
	if v.tour.open {
		t.Error("skipping does not lead to the end")
	}
	v.press("T")
	v.says(1, "press c", "skip")
	v.press("/", ">") // nobody types here: the tour has the key
	v.says(2)
	v.press("2", "/", ">", "T", "<")
	v.says(2) // in a filter they are letters
	v.has("/>T<")
}

// The tour covers nothing: the panes that a step is about are there in full, an overlay leaves it in view, and a screen that is too small is left alone.
func TestTheTourCoversNothing(t *testing.T) {
	v := newVisitor(t, 60, 18)
	v.buy()
	v.press(">", ">")
	for _, text := range []string{"5 brokers", "6 ▸partitions", "╰─"} {
		v.has(text)
	}
	v.press("?")
	v.has("tour 3/8")
	v.has("esc closes")
	v.press("esc", "5", "K")
	v.has("Kill -9 broker 1?")
	v.has("n or esc leave it")
	v.has("tour 3/8")
	v.press("n", "1") // a pane that the step is not about: the whole screen beside the tour
	v.has("c checkout as guest")
	v.has("tour 3/8")
	v.press("esc")
	v.has("5 brokers")
	for w := 1; w < 140; w += 7 {
		for h := 1; h < 60; h += 3 {
			v.send(tea.WindowSizeMsg{Width: w, Height: h})
			if n := strings.Count(v.View().Content, "\n") + 1; n > h {
				t.Fatalf("%d lines on a screen of %d×%d", n, w, h)
			}
		}
	}
}

// On brokers that kassa cannot touch the tour says so, and sees what is done to them all the same. On simulated ones it says that they are.
func TestTheTourOnOtherClusters(t *testing.T) {
	v := newVisitor(t, 80, 24)
	v.backend.Info.Simulated = true
	v.says(1, "simulated")
	v.buy()
	v.press(">", ">")
	for i := range v.state.Nodes {
		v.state.Nodes[i].Process = kafkaops.ProcessUnknown
	}
	v.says(3, "kassa cannot do that on this cluster")
	v.down = []int32{2}
	v.see()
	v.says(3, "✓", "Broker 2 is gone")
	v.backend.Acks = "acks=1"
	v.press("<", "<")
	v.says(1, "waited for no copy of it (acks=1)")
}

// While brokers are on their way up there is none to be started.
func TestTheTourWaitsForBrokersThatStart(t *testing.T) {
	v := newVisitor(t, 120, 40)
	v.buy()
	v.kill(1)
	v.kill(2)
	st := v.cluster()
	st.Quorum.Known, st.Quorum.Lost = false, true
	for i := range 2 {
		st.Nodes[i].Health, st.Nodes[i].Process = watch.Starting, kafkaops.ProcessStarting
	}
	for _, verb := range []kafkaops.Verb{kafkaops.Kill, kafkaops.Elect} { // what was done last
		v.lines[len(v.lines)-1].Fault = kafkaops.Fault{Verb: verb, Node: map[kafkaops.Verb]int32{kafkaops.Kill: 2}[verb]}
		v.send(stateMsg{st})
		if v.stalled == "" {
			t.Fatal("writes go on")
		}
		waits := 0
		for i := range tourSteps {
			v.tour.at, v.tour.now = i, i
			for _, text := range []string{tourStepAt(i).ask(v.Model), tourStepAt(i).told(v.Model, v.tourFacts())} {
				if strings.Contains(strings.ToLower(text), "broker 0") {
					t.Errorf("step %d says %q", i+1, text)
				}
				if strings.Contains(text, "The brokers are on their way up: wait until writes go on.") {
					waits++
				}
			}
		}
		if waits != 3 { // to buy, to see who leads, to see what waited go through
			t.Errorf("%d steps say that the brokers are on their way", waits)
		}
	}
	v.send(stateMsg{v.cluster()}) // all are back, and what was done last was an election
	if text := tourStepAt(4).told(v.Model, v.tourFacts()); strings.Contains(text, "Broker 0") {
		t.Errorf("step 5 says %q", text)
	}
}

// Between the death of the controller and the election of another one the tour does not call it the wrong broker; one that is gone beside it is.
func TestTheTourWaitsForTheElection(t *testing.T) {
	v := newVisitor(t, 80, 24)
	v.boss = 1
	v.see()
	v.buy()
	v.press(">", ">", ">", ">", ">")
	v.says(6, "the controller, now broker 1")
	st := v.cluster()
	st.Quorum.Leader = 1 // what was last told
	st.Nodes[0].Health, st.Nodes[0].Process = watch.Down, kafkaops.ProcessExited
	v.send(stateMsg{st})
	v.says(6, "Broker 1 led the quorum: the others elect another now, and then leaders move.", "skip")
	st = v.cluster()
	for _, i := range []int{0, 2} {
		st.Nodes[i].Health, st.Nodes[i].Process = watch.Down, kafkaops.ProcessExited
	}
	st.Quorum.Leader, st.Quorum.Known, st.Quorum.Lost = 1, false, true
	v.send(stateMsg{st})
	v.says(6, "Broker 3 is not the one that this step is about. Start broker 3 again first")
	v.kill(1)
	v.says(6, "✓")
}

// Going on in the tour leaves alone what is read page by page, and a menu that was opened in a pane which the step has no room for.
func TestTheTourLeavesReadersAlone(t *testing.T) {
	v := newVisitor(t, 120, 40)
	log := library(v.stage)
	v.stage.says("topic carts earliest")
	log.bring(v.stage, 500, tail.Count{Read: 500, Behind: 700, Held: true})
	v.press("j", "j")
	at := v.tail().cursor
	v.press(">")
	if got := v.tails[paneTopics]; !got.paused || got.cursor != at {
		t.Errorf("paused: %v, at row %d of %d", got.paused, got.cursor, at)
	}

	v = newVisitor(t, 80, 24)
	library(v.stage)
	v.press(">", ">", "2", "t", "enter", "tab")
	v.has("in place of payment-successful")
	v.send(tea.WindowSizeMsg{Width: 60, Height: 18})
	if v.focus.isTail() {
		t.Fatal("the step has room for the tails")
	}
	v.sound("a resize")
	v.has("in place of payment-successful")
}
