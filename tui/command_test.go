package tui

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/exp/golden"

	"kassa/kafkaops"
	"kassa/kafkaops/tail"
	"kassa/services"
	"kassa/services/load"
)

// say types a command and enter.
func (s *stage) says(text string) {
	s.types(":" + text)
	s.press("enter")
}

// Everything that a key does has a word that is found, and every word does something.
func TestEveryActionHasAWord(t *testing.T) {
	s := newStage(t, 120, 40)
	for _, a := range s.keys {
		if a.word == "" && a.Help().Key != ":" {
			t.Errorf("%v has no word", a.Keys())
		}
		if w, err := s.word(a.word); a.word != "" && (err != nil || w.name != a.word || w.does == "") {
			t.Errorf("the word of %v is %q: %v", a.Keys(), w.name, err)
		}
	}
	for _, w := range s.words {
		of := slices.ContainsFunc(s.keys, func(a action) bool { return a.word == w.name })
		if w.do == nil && !of {
			t.Errorf("%s does nothing", w.name)
		}
		if w.does == "" || w.args != "" && w.do == nil {
			t.Errorf("%s does not say what it does, or not what may follow", w.name)
		}
	}
	if !slices.IsSortedFunc(s.words, func(a, b word) int { return strings.Compare(a.name, b.name) }) {
		t.Error("the words are not in order")
	}
}

// A fault in words asks once with the price, and means the same as the key.
func TestFaultsInWords(t *testing.T) {
	for line, want := range map[string]kafkaops.Fault{
		"kill 2":                         {Verb: kafkaops.Kill, Node: 2},
		"kill controller":                {Verb: kafkaops.Kill, Node: 2, Role: kafkaops.Controller},
		"kill leader order-successful/0": {Verb: kafkaops.Kill, Node: 1, Role: kafkaops.LeaderOf("order-successful", 0)},
		"stop 1":                         {Verb: kafkaops.Stop, Node: 1},
		"pause 3":                        {Verb: kafkaops.Pause, Node: 3},
		"restart 1":                      {Verb: kafkaops.Restart, Node: 1},
		"rolling":                        {Verb: kafkaops.Rolling},
		"elect":                          {Verb: kafkaops.Elect},
		"ki 2":                           {Verb: kafkaops.Kill, Node: 2},
	} {
		s := newStage(t, 120, 40).open()
		s.send(stateMsg{s.cluster()})
		for _, focus := range []string{"1", "2", "8"} { // wherever the keys are
			s.done = nil
			s.press(focus)
			s.says(line)
			if len(s.done) > 0 || s.question == nil {
				t.Fatalf("%s: no question, and done is %v: %s", line, s.done, s.screen())
			}
			s.has(want.String())
			s.press("y")
			if len(s.done) != 1 || s.done[0] != want {
				t.Errorf("%s from pane %s did %v, want %v", line, focus, s.done, want)
			}
		}
	}
	s := newStage(t, 120, 40).open()
	s.send(stateMsg{s.broken()})
	s.says("start 2")
	s.has("Start broker 2?")
	s.press("n")
	if s.done != nil || s.command != nil {
		t.Errorf("n did %v", s.done)
	}
}

// What cannot be understood or done is said in one sentence, nothing is done, and the text stays to be mended.
func TestWhatCannotBeSaid(t *testing.T) {
	for line, says := range map[string]string{
		"fly":                             `there is no word "fly"`,
		"p":                               `"p" may be`,
		"kill":                            "which broker? kill 1, kill controller",
		"kill 7":                          `there is no broker "7": they are 1, 2, 3`,
		"kill 2":                          "broker 2 is down, and cannot be killed",
		"kill 1 2":                        `there is no broker "1 2"`,
		"start 1":                         "broker 1 runs, and cannot be started",
		"resume 1":                        "broker 1 runs, and cannot be resumed",
		"cut 1":                           "a broker of this cluster (local) cannot be cut off",
		"kill leader nope/0":              "cannot kill the leader of nope/0: there is no such partition",
		"kill leader":                     "leader of what?",
		"elect now":                       `nothing goes behind this word, and "now" stands there`,
		"load much":                       `a number from 1 to 50,000, not "much"`,
		"load 50001":                      "a number from 1 to 50,000",
		"burst -1":                        "a burst is a number",
		"zoom 3":                          "zoom takes nothing behind it",
		"copy":                            "copy works in a tail (2, 3, 4, O)",
		"crash nobody":                    `the services are order, email, analytics, not "nobody"`,
		"crash email":                     "no instance of email runs",
		"start analytics":                 "analytics is not stopped",
		"stop email":                      "email is stopped already",
		"scale order 9":                   "the instances of order is a number from 1 to 6",
		"delivery twice":                  `not "twice"`,
		"delivery exactly-once":           "the delivery is exactly-once already",
		"filter x":                        "filter works in a tail",
		"view moon":                       "the views are partitions, groups, quorum, topics",
		"pane 10":                         `not "10"`,
		"theme mud":                       `not "mud"`,
		"layout mud":                      `not "mud"`,
		"hide mud":                        `not "mud"`,
		"again":                           "again is not possible now",
		"user " + strings.Repeat("x", 61): "at most 60 characters",
	} {
		s := newStage(t, 140, 40).open()
		d := s.hire()
		st := s.broken()
		s.send(stateMsg{st})
		s.press("1")
		s.says(line)
		flat := strings.ToLower(strings.Join(strings.Fields(strings.NewReplacer("│", " ").Replace(s.screen())), " "))
		if !strings.Contains(flat, strings.ToLower(says)) {
			t.Errorf("%q does not say %q:\n%s", line, says, s.screen())
		}
		if s.command == nil || s.command.input.Value() != line {
			t.Errorf("%q did not stay", line)
		}
		if s.done != nil || d.asked != nil || s.bursts != nil || s.question != nil || len(s.said) > 0 {
			t.Errorf("%q did something", line)
		}
		s.press("backspace")
		if s.command.err != "" {
			t.Errorf("%q: the sentence stays after the text has changed", line)
		}
		s.press("esc")
		s.hasNot("tab completes")
	}
}

// What is set in overlays with keys has words too: a ramp, customers who wait, a drill, other brokers.
func TestWordsForWhatOverlaysDo(t *testing.T) {
	s := newStage(t, 120, 40)
	d := newSchool(s)
	think := s.load.plan.Think
	for line, want := range map[string]load.Plan{
		"ramp 2,000 45s":       {On: true, Rate: 2000, Over: 45 * time.Second, Customers: 20, Think: think},
		"ramp 300/s":           {On: true, Rate: 300, Over: 30 * time.Second, Customers: 20, Think: think},
		"ramp":                 {On: true, Rate: 500, Over: 30 * time.Second, Customers: 20, Think: think},
		"load closed 50 2s":    {On: true, Mode: load.Closed, Rate: 50, Customers: 50, Think: 2 * time.Second},
		"load closed 1,000 0s": {On: true, Mode: load.Closed, Rate: 50, Customers: 1000},
		"load closed":          {On: true, Mode: load.Closed, Rate: 50, Customers: 20, Think: think},
	} {
		s.load = newLoadState(50)
		if s.says(line); s.plan != want {
			t.Errorf("%s: the load is %+v, want %+v", line, s.plan, want)
		}
	}
	s.load = newLoadState(50)
	before := s.load.plan
	for line, says := range map[string]string{
		"ramp fast":          `is a number from 1 to 50,000, not "fast"`,
		"ramp 5 0s":          `the time of a ramp is from 1.0 s to 10 m, such as 2s or 1m, not "0s"`,
		"ramp 5 5 5":         `such as ramp 500 30s, not "5 5 5"`,
		"load closed 0":      `how many customers come is a number from 1 to 10,000, not "0"`,
		"load closed 5 -1s":  `is from 0 ms to 10 m, such as 2s or 1m, not "-1s"`,
		"load closed 5 5 5":  `such as load closed 50 2s, not "5 5 5"`,
		"drill":              "which drill? drills lists them",
		"drill of-no-kind":   `there is no drill "of-no-kind"`,
		"drill network-cut":  "broker 1 has no network of its own",
		"clusters elsewhere": "cannot be changed for others from here",
	} {
		s.says(line)
		if s.command == nil || !strings.Contains(strings.ToLower(s.command.err), strings.ToLower(says)) {
			t.Errorf("%q does not say %q:\n%s", line, says, s.screen())
		}
		s.press("esc")
	}
	if s.load.plan != before || len(d.ran) > 0 {
		t.Errorf("what cannot be done changed the load to %+v, ran %q", s.load.plan, d.ran)
	}
	s.says("drill leader-kill")
	s.has("Run leader-kill?")
	s.press("n")
	s.has("enter run")
	s.press("esc", ":")
	s.types("drill lea")
	s.press("tab")
	if got := s.command.input.Value(); got != "drill leader-kill " {
		t.Errorf("completed to %q", got)
	}

	c := newChoice(t, 120, 40)
	c.says("clusters compose")
	c.has("▶ compose")
	c.press("esc")
	c.says("clusters moon")
	c.has(`no brokers come from "moon"`)
	if len(c.changed) > 0 {
		t.Errorf("changed to %q unasked", c.changed)
	}
}

// However the line comes to be about a topic, the topics are read.
func TestTopicsAreReadForTheLine(t *testing.T) {
	for name, keys := range map[string][]string{"typed": {"t", "o", "p", "i", "c", "space"}, "completed": {"t", "o", "p", "tab"}, "recalled": {"up"}} {
		s := newStage(t, 120, 40).story()
		log := library(s)
		s.said = []string{"topic c"}
		s.press(":")
		log.topics = append(log.topics, tail.Topic{Name: "cold"})
		s.press(keys...)
		if !s.picker.asking {
			t.Errorf("%s: nobody asks for the topics", name)
		}
		s.send(topicsMsg{number: s.picker.number, topics: log.topics})
		if s.command == nil || !slices.ContainsFunc(s.command.offers, func(c candidate) bool { return c.text == "cold" }) {
			t.Errorf("%s: offered are %+v", name, s.command.offers)
		}
	}
}

// A pane is hidden in words as with its key.
func TestHideInWords(t *testing.T) {
	s := newStage(t, 120, 40).open()
	s.send(stateMsg{s.cluster()})
	s.says("hide email")
	s.has("email is hidden: 4 opens it for now, V shows it again")
	for _, name := range paneNames() {
		s.says("hide " + name) // but email, which is shown again
	}
	s.says("hide email")
	s.has("This is the last pane: it stays")
	if s.look.hides(paneEmail) || len(s.look.Hidden) != len(paneNames())-1 {
		t.Errorf("hidden are %q", s.look.Hidden)
	}
}

// Before there is a cluster, words wait as keys do.
func TestWordsBeforeTheClusterIsUp(t *testing.T) {
	for _, line := range []string{"kill 1", "rolling", "elect", "controller", "brokers", "crash order", "load 5", "burst 5", "delivery at-least-once", "checkout", "inbox", "view groups", "help", "scale order 2"} {
		s := newStage(t, 80, 24)
		s.says(line)
		s.View()
		if s.question != nil {
			t.Errorf("%q asked", line)
		}
	}
}

// Words with arguments reach the shop.
func TestWordsReachTheShop(t *testing.T) {
	s := newStage(t, 120, 40).open()
	d := s.hire()
	s.press("2")
	s.says("checkout")
	s.says("load 200")
	if s.bought != 1 || s.plan != (load.Plan{On: true, Rate: 200, Customers: 20, Think: s.plan.Think}) {
		t.Errorf("bought %d, plan %+v", s.bought, s.plan)
	}
	s.says("load off")
	s.says("burst 1,000")
	s.says("load")
	if !s.plan.On || !slices.Equal(s.bursts, []int{1000}) {
		t.Errorf("plan %+v, bursts %v", s.plan, s.bursts)
	}
	s.says("user Ada Lovelace")
	s.says("scale analytics 3")
	s.says("start email")
	s.says("crash order")
	s.has("Crash order?")
	s.press("y")
	s.says("delivery at-least-once")
	s.has("Deliver at-least-once?")
	s.press("y")
	if want := []string{"scale analytics 3", "start email", "crash order", "deliver at-least-once"}; !slices.Equal(d.asked, want) {
		t.Errorf("asked for %q, want %q", d.asked, want)
	}
	if d.delivery != services.AtLeastOnce || s.cart.user != "Ada Lovelace" {
		t.Error(d.delivery, s.cart.user)
	}
	s.says("view quorum")
	if s.focus != panePartitions || s.view != viewQuorum {
		t.Error("not at the quorum")
	}
	s.says("pane timeline")
	s.says("pane 3")
	s.says("filter 7f3a")
	if s.focus != paneOrder || s.tail().filter != "7f3a" {
		t.Error("not filtered")
	}
	s.records(2)
	s.says("pause")
	if !s.tail().paused {
		t.Error("pause without a broker is the tail's in a tail")
	}
	s.says("follow")
	if s.tail().paused {
		t.Error("still paused")
	}
	s.send(tea.WindowSizeMsg{Width: 120, Height: 120})
	s.says("help")
	s.has(":kill BROKER")
	s.has(":scale SERVICE N")
}

// Keys are text while a command is typed, tab completes as far as there is one way and then goes through the ways, shift+tab goes back.
func TestCommandCompletion(t *testing.T) {
	s := newStage(t, 120, 40).open()
	s.hire()
	text := func(want string) {
		t.Helper()
		if got := s.command.input.Value(); got != want {
			t.Fatalf("the line is %q, want %q", got, want)
		}
	}
	s.types(":qcb")
	if s.bought != 0 || s.command == nil {
		t.Fatal("a letter was taken for a key")
	}
	s.press("esc")
	s.types(":rol")
	s.press("tab")
	text("rolling ")
	s.press("esc")
	s.types(":re")
	s.has("restart")
	s.has("reconnect")
	s.press("tab") // both begin with re
	first := s.command.offers[0].text
	text(first)
	s.press("tab")
	text(s.command.offers[1].text)
	s.press("shift+tab")
	text(first)
	s.press("shift+tab")
	text(s.command.offers[len(s.command.offers)-1].text)
	s.press("esc")
	s.types(":kill ")
	s.has("controller")
	s.has("broker 2 now")
	s.types("l")
	s.press("tab")
	text("kill leader ")
	s.has("order-successful/2")
	s.types("ord")
	s.press("tab")
	text("kill leader order-successful/")
	s.types("1")
	s.press("tab", "enter")
	s.has("leader of order-successful/1")
	s.press("n")
	s.types(":scale or")
	s.press("tab")
	text("scale order ")
	s.types("4")
	s.press("enter")
	s.types(":delivery ")
	s.press("tab")
	text("delivery exactly-once")
	s.press("esc")
	s.types(":preferred") // nothing begins so
	s.has("elect")
}

// Up and down go through what was said; what was being typed is not lost.
func TestCommandHistory(t *testing.T) {
	s := newStage(t, 120, 40).open()
	s.send(stateMsg{s.cluster()})
	text := func(want string) {
		t.Helper()
		if got := s.command.input.Value(); got != want {
			t.Fatalf("the line is %q, want %q", got, want)
		}
	}
	s.says("zoom")
	s.says("load 5")
	s.says("zoom")
	s.types(":bur")
	s.press("up")
	text("zoom")
	s.press("up")
	text("load 5")
	s.press("up", "up")
	text("load 5")
	s.press("down", "down")
	text("bur")
	s.press("down")
	text("bur")
	s.press("up", "up", "backspace")
	text("load ")
	s.press("up")
	text("zoom")
	s.press("down")
	text("load ")
	for i := range 2 * historyLimit {
		s.press("esc")
		s.says(fmt.Sprint("load ", i+1))
	}
	if len(s.said) != historyLimit {
		t.Errorf("%d lines are kept", len(s.said))
	}
}

// A paste goes into the line, safely.
func TestCommandPaste(t *testing.T) {
	s := newStage(t, 80, 24).open()
	s.press(":")
	s.send(tea.PasteMsg{Content: "kill\x1b[2J \u202e7\nquit"})
	s.press("enter")
	for _, bad := range []string{"\x1b[2J", "\u202e"} {
		if strings.Contains(s.View().Content, bad) {
			t.Errorf("%q is on the screen", bad)
		}
	}
}

func TestGoldenCommand(t *testing.T) {
	for _, size := range [][2]int{{60, 18}, {80, 24}, {120, 40}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			s := newStage(t, size[0], size[1]).story()
			s.types(":kill ")
			s.press("tab")
			golden.RequireEqual(t, s.View().Content)
		})
	}
	t.Run("error-80x24", func(t *testing.T) {
		s := newStage(t, 80, 24).story()
		s.says("kill 2")
		golden.RequireEqual(t, s.View().Content)
	})
	t.Run("words-80x24", func(t *testing.T) {
		s := newStage(t, 80, 24).story()
		s.press(":", "shift+tab")
		golden.RequireEqual(t, s.View().Content)
	})
}
