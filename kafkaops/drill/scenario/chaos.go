package scenario

import (
	"math/rand/v2"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"kassa/kafkaops"
)

// Chaos is random faults. The same seed draws the same ones.
type Chaos struct {
	Faults  int
	Of      []Verb   // what is drawn from; one that is there twice comes twice as often
	Targets []Target // of those that hit a broker
	Away    Span     // how long a broker stays away once writes go on, or a pause lasts
	Pause   Span     // between the end of a fault and the next
	// Budget is how many brokers may be away at a time: 1, so that a majority of three is left, or 2.
	Budget int
}

// Span is a time between two bounds.
type Span struct{ Min, Max time.Duration }

func (s Span) draw(r *rand.Rand) time.Duration {
	// To the millisecond, so that a step can be read.
	return s.Min + time.Duration(r.Int64N(int64((s.Max-s.Min)/time.Millisecond)+1))*time.Millisecond
}

// newChaos is what a file that only says chaos means.
func newChaos() *Chaos {
	partition := func(topic string, n int32) Target { return Target{Kind: LeaderOf, Topic: topic, Partition: n} }
	return &Chaos{
		Faults: 20,
		Of: []Verb{
			Verb(kafkaops.Kill), Verb(kafkaops.Kill), Verb(kafkaops.Kill), Verb(kafkaops.Stop), Verb(kafkaops.Pause), Verb(kafkaops.Pause),
			Verb(kafkaops.Restart), Crash, Crash,
		},
		Targets: []Target{
			{Kind: Controller},
			{Kind: Follower},
			{Kind: Random},
			partition("payment-successful", 0), partition("order-successful", 1), partition("email-successful", 2),
		},
		Away: Span{time.Second, 4 * time.Second}, Pause: Span{500 * time.Millisecond, 2 * time.Second}, Budget: 1,
	}
}

func (c *Chaos) read(n ast.Node) error {
	if _, ok := n.(*ast.NullNode); ok {
		return nil
	}
	verbs := []string{string(kafkaops.Kill), string(kafkaops.Stop), string(kafkaops.Pause), string(kafkaops.Restart), string(kafkaops.Cut), string(Crash)}
	return mapping(n, "chaos",
		field{"faults", number(&c.Faults, "faults", 1, MaxFaults)},
		field{"of", func(n ast.Node) error {
			c.Of = nil
			err := sequence(n, "of", MaxSteps, func(_ int, n ast.Node) error {
				var w string
				err := oneOf(&w, "a fault of chaos", verbs...)(n)
				c.Of = append(c.Of, Verb(w))
				return err
			})
			if err == nil && len(c.Of) == 0 {
				return errAt(n, "of is empty: there is nothing to draw from")
			}
			return err
		}},
		field{"targets", func(n ast.Node) error {
			c.Targets = nil
			err := sequence(n, "targets", MaxSteps, func(_ int, n ast.Node) error {
				var a Act
				if err := readTarget(&a, n); err != nil {
					return err
				}
				switch a.On.Kind {
				case Service, Same, Other, All, FollowersOf:
					return errAt(n, "%s cannot be drawn: give brokers by a role of their own", a.On)
				}
				c.Targets = append(c.Targets, a.On)
				return nil
			})
			if err == nil && len(c.Targets) == 0 {
				return errAt(n, "targets is empty: there is nobody to draw from")
			}
			return err
		}},
		field{"away", func(n ast.Node) error { return readSpan(&c.Away, "away", n) }},
		field{"pause", func(n ast.Node) error { return readSpan(&c.Pause, "pause", n) }},
		field{"budget", number(&c.Budget, "the budget", 1, 2)},
	)
}

func readSpan(into *Span, what string, n ast.Node) error {
	w, err := word(n, what)
	if err != nil {
		return err
	}
	low, high, two := strings.Cut(w, "..")
	if into.Min, err = parseDuration(strings.TrimSpace(low), what); err != nil {
		return errAt(n, "%s", err)
	}
	into.Max = into.Min
	if two {
		if into.Max, err = parseDuration(strings.TrimSpace(high), what); err != nil {
			return errAt(n, "%s", err)
		}
	}
	if into.Max < into.Min {
		return errAt(n, "%s is from the shorter to the longer, such as 1s..5s, not %s", what, brief(w))
	}
	return nil
}

// Draw makes steps of the random faults of a scenario. Where the load has a length of its own they are spread over it evenly, else they follow one
// another. Within the budget the cluster is whole again before the next.
func (s *Scenario) Draw(seed uint64) []Step {
	c := s.Chaos
	r := rand.New(rand.NewPCG(seed, 0))
	// The last fault gets some of the load after it.
	every := time.Duration(float64(s.Load.Length()) * 0.98 / float64(max(c.Faults, 1)))
	pick := func(t []Target) Target { return t[r.IntN(len(t))] }
	var steps []Step
	for n := range c.Faults {
		verb := c.Of[r.IntN(len(c.Of))]
		first := Step{At: every * time.Duration(n), After: Settled, Wait: c.Pause.draw(r), Act: Act{Verb: verb}}
		if verb == Crash {
			names := serviceNames()
			first.Act.On = Target{Kind: Service, Service: names[r.IntN(len(names))]}
			steps = append(steps, first)
			continue
		}
		first.Act.On = pick(c.Targets)
		steps = append(steps, first)
		back := Step{After: WritesGoOn, Wait: c.Away.draw(r), Act: Act{Verb: Back, On: Target{Kind: Same}}}
		switch kafkaops.Verb(verb) {
		case kafkaops.Restart:
			back = Step{}
		case kafkaops.Pause: // it may come back before anybody counted on it any less
			back.After = ""
		}
		if c.Budget > 1 && back.Act.Verb != "" && r.IntN(2) == 0 {
			// A second one goes before the first is back: writes wait until a majority is there again.
			steps = append(steps, Step{Wait: c.Away.draw(r), Act: Act{Verb: verb, On: Target{Kind: Other}}})
			back.After, back.Act.On = "", Target{Kind: All}
		}
		if back.Act.Verb != "" {
			steps = append(steps, back)
		}
		steps = append(steps, Step{After: Whole, Act: Act{Verb: Verb(kafkaops.Elect)}})
	}
	return append(steps, Step{After: Settled})
}
