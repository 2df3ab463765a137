package local

import (
	"strings"
	"testing"

	"kassa/kafkaops"
)

func TestWhatABrokersStateAllows(t *testing.T) {
	ended := make(chan struct{})
	close(ended)
	up := func() *node { return &node{id: 1, proc: &process{ended: make(chan struct{})}} }
	states := map[string]func() *node{
		"up":       up,
		"down":     func() *node { return &node{id: 1, proc: &process{ended: ended}} },
		"paused":   func() *node { n := up(); n.paused = true; return n },
		"stopping": func() *node { n := up(); n.busy = kafkaops.Stop; return n },
	}
	allowed := map[string]string{
		"up":       "kill stop pause restart",
		"down":     "start",
		"paused":   "kill resume",
		"stopping": "kill",
	}
	for state, make := range states {
		for _, verb := range []kafkaops.Verb{"kill", "stop", "pause", "resume", "start", "restart", "dance"} {
			_, reason := make().begin(verb)
			want := strings.Contains(" "+allowed[state]+" ", " "+string(verb)+" ")
			if want != (reason == "") {
				t.Errorf("%s a broker that is %s: refused with %q", verb, state, reason)
			}
		}
	}
	if _, reason := states["paused"]().begin(kafkaops.Stop); !strings.Contains(reason, "resume it first") {
		t.Errorf("stop while paused: %q does not say what to do", reason)
	}
}

func TestOneLongFaultAtATime(t *testing.T) {
	n := &node{id: 1, proc: &process{ended: make(chan struct{})}}
	if _, reason := n.begin(kafkaops.Restart); reason != "" {
		t.Fatal(reason)
	}
	if _, reason := n.begin(kafkaops.Stop); !strings.Contains(reason, "restart is under way") {
		t.Errorf("stop during a restart: %q", reason)
	}
	n.done()
	if _, reason := n.begin(kafkaops.Stop); reason != "" {
		t.Errorf("stop after it: %q", reason)
	}
}

func TestViewFollowsTheProcess(t *testing.T) {
	n := newNode(2, 9095, 19095)
	expect := func(want kafkaops.Process, pid int, exit string) {
		t.Helper()
		if v := n.view(); v.Process != want || v.PID != pid || v.Exit != exit || v.Addr != "127.0.0.1:9095" {
			t.Errorf("got %+v, want %v %d %q", v, want, pid, exit)
		}
	}
	expect(kafkaops.ProcessStarting, 0, "")
	p := &process{pid: 7, ended: make(chan struct{})}
	n.note(p)
	expect(kafkaops.ProcessStarting, 7, "")
	n.noteAnswer(&process{}) // of a life before
	expect(kafkaops.ProcessStarting, 7, "")
	n.noteAnswer(p)
	expect(kafkaops.ProcessRunning, 7, "")
	n.paused = true
	expect(kafkaops.ProcessPaused, 7, "")
	p.exit = "signal: killed"
	close(p.ended)
	expect(kafkaops.ProcessExited, 0, "signal: killed")
}
