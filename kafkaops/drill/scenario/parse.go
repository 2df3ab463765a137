package scenario

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
)

// LoadFile reads a file; what is wrong with its text is an *Error.
func LoadFile(path string) (*Scenario, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, err
	}
	return Parse(text)
}

var nameText = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// Parse reads a scenario; what is wrong is an *Error.
func Parse(file []byte) (*Scenario, error) {
	switch {
	case len(file) > MaxFile:
		return nil, &Error{Reason: fmt.Sprintf("it is larger than %d bytes", MaxFile)}
	case !utf8.Valid(file):
		return nil, &Error{Reason: "it is not UTF-8"}
	}
	root, err := document(file)
	if err != nil {
		return nil, err
	}
	s := &Scenario{Rounds: 1}
	err = mapping(root, "a scenario",
		field{"name", func(n ast.Node) error {
			if err := text(&s.Name, "the name")(n); err != nil {
				return err
			}
			if !nameText.MatchString(s.Name) {
				return errAt(n, "a name is of small letters, digits and -, at most 64, not %q", brief(s.Name))
			}
			return nil
		}},
		field{"about", text(&s.About, "about")},
		field{"settings", s.Settings.read},
		field{"load", s.Load.read},
		field{"steps", s.readSteps},
		field{"repeat", number(&s.Rounds, "repeat", 1, MaxRounds)},
		field{"chaos", func(n ast.Node) error { s.Chaos = newChaos(); return s.Chaos.read(n) }},
		field{"expect", s.Expect.read},
		field{"real-brokers", func(n ast.Node) error {
			var w string
			err := oneOf(&w, "real-brokers", "true", "false")(n)
			s.RealBrokers = w == "true"
			return err
		}},
	)
	switch {
	case err != nil:
		return nil, err
	case s.Name == "":
		return nil, &Error{Reason: "it has no name"}
	case s.Chaos != nil && len(s.Steps) > 0:
		return nil, &Error{Reason: "it has steps and chaos: leave one of them out"}
	case s.Chaos != nil && s.Rounds > 1:
		return nil, &Error{Reason: "chaos is not repeated: ask for more faults"}
	case s.Chaos == nil && len(s.Steps) == 0 && s.Load.Length() == 0:
		return nil, &Error{Reason: "it has no steps, no chaos and no load that ends: there is nothing to do"}
	}
	if s.Load.Rate == 0 && s.Load.Customers == 0 {
		s.Load.Rate = DefaultRate
	}
	return s, s.check()
}

// DefaultRate is the load's when a scenario does not say.
const DefaultRate = 200

func (s *Settings) read(n ast.Node) error {
	return mapping(n, "settings",
		field{"delivery", oneOf(&s.Delivery, "the delivery", "exactly-once", "at-least-once")},
		field{"acks", oneOf(&s.Acks, "acks", "all", "1", "0")},
		field{"profile", oneOf(&s.Profile, "the profile", kafkaops.ProfileFastFailover, kafkaops.ProfileStock)},
		field{"min-isr", number(&s.MinISR, "min-isr", 1, 3)},
	)
}

func (l *Load) read(n ast.Node) error {
	var warm time.Duration
	err := mapping(n, "load",
		field{"rate", number(&l.Rate, "the rate", 1, MaxRate)},
		field{"customers", number(&l.Customers, "customers", 1, MaxCustomers)},
		field{"think", duration(&l.Think, "think")},
		field{"checkouts", number(&l.Checkouts, "checkouts", 1, MaxCheckouts)},
		field{"duration", duration(&l.Duration, "the duration")},
		field{"warm-up", func(n ast.Node) error { l.WarmUp = &warm; return duration(&warm, "the warm-up")(n) }},
	)
	switch {
	case err != nil:
		return err
	case l.Rate > 0 && l.Customers > 0:
		return errAt(n, "rate is an open loop and customers a closed one: leave one of them out")
	case l.Think > MaxThink:
		return errAt(n, "think is at most %s, not %s", brevity(MaxThink), brevity(l.Think))
	case l.Think > 0 && l.Customers == 0:
		return errAt(n, "think is for customers, and there are none")
	case l.Checkouts > 0 && l.Duration > 0:
		return errAt(n, "checkouts and duration both say when the load ends: leave one of them out")
	}
	return nil
}

func (s *Scenario) readSteps(n ast.Node) error {
	return sequence(n, "steps", MaxSteps, func(_ int, n ast.Node) error {
		st := Step{Line: lineOf(n)}
		var acts []string
		act := func(v Verb, read func(*Act, ast.Node) error) field {
			return field{string(v), func(n ast.Node) error {
				acts = append(acts, string(v))
				st.Act.Verb = v
				return read(&st.Act, n)
			}}
		}
		fields := []field{
			{"at", duration(&st.At, "at")},
			{"after", func(n ast.Node) error { return readEvent(&st.After, n) }},
			{"within", duration(&st.Within, "within")},
			{"wait", duration(&st.Wait, "wait")},
		}
		for _, v := range []kafkaops.Verb{
			kafkaops.Kill, kafkaops.Stop, kafkaops.Pause, kafkaops.Resume, kafkaops.Start, kafkaops.Restart, kafkaops.Cut, kafkaops.Reconnect,
		} {
			fields = append(fields, act(Verb(v), readTarget))
		}
		fields = append(fields,
			act(Back, readTarget),
			act(Verb(kafkaops.Elect), func(_ *Act, n ast.Node) error { var w string; return oneOf(&w, "elect", "preferred")(n) }),
			act(Verb(kafkaops.Rolling), func(_ *Act, n ast.Node) error { var w string; return oneOf(&w, "rolling", "restart")(n) }),
			act(Crash, readTarget),
			act(Scale, readScale),
			act(Poison, func(a *Act, n ast.Node) error { return text(&a.What, "poison")(n) }),
			act(Oversize, readTopic), act(DeleteTopic, readTopic), act(CreateTopic, readTopic),
		)
		if err := mapping(n, "a step", fields...); err != nil {
			return err
		}
		switch {
		case len(acts) > 1:
			return errAt(n, "a step does one thing, and this one has %s: make a step of each", strings.Join(acts, " and "))
		case len(acts) == 0 && st.At == 0 && st.After == "" && st.Wait == 0:
			return errAt(n, "a step does or waits for something, and this one has neither")
		case st.Within > 0 && st.After == "":
			return errAt(n, "within is how long after may take, and there is no after")
		}
		s.Steps = append(s.Steps, st)
		return nil
	})
}

// marks are what may be waited for besides states: what the recorder sees of a fault.
func marks() []drill.Mark {
	return []drill.Mark{
		drill.ClientSaw, drill.ControllerElected, drill.LeadersMoved, drill.LeadersLost, drill.ISRShrank, drill.QuorumLost, drill.QuorumBack,
		drill.AcksResumed, drill.FlowResumed, drill.BrokerBack, drill.PreferredBack,
	}
}

func readEvent(into *Event, n ast.Node) error {
	words := []string{string(Whole), string(ISRFull), string(WritesGoOn), string(FlowGoesOn), string(ServicesUp), string(Settled)}
	for _, m := range marks() {
		words = append(words, string(m))
	}
	return oneOf((*string)(into), "an event", words...)(n)
}

func readTarget(a *Act, n ast.Node) error {
	w, err := word(n, "a target")
	if err != nil {
		return err
	}
	if a.On, err = ParseTarget(w); err != nil {
		return errAt(n, "%s", err)
	}
	return nil
}

func readScale(a *Act, n ast.Node) error {
	w, err := word(n, "scale")
	if err != nil {
		return err
	}
	name, count, ok := strings.Cut(strings.Join(strings.Fields(w), " "), " to ")
	a.On = Target{Kind: Service, Service: name}
	a.Instances, err = strconv.Atoi(count)
	if !ok || err != nil || !slices.Contains(serviceNames(), name) || a.Instances < 1 || a.Instances > MaxInstances {
		return errAt(n, "scale is a service and 1 to %d instances, such as order to 3, not %q", MaxInstances, brief(w))
	}
	return nil
}

func readTopic(a *Act, n ast.Node) error { return oneOf(&a.What, "a topic", topicNames()...)(n) }

func (e *Expect) read(n ast.Node) error {
	var fields []field
	for _, name := range countNames() {
		fields = append(fields, field{name, func(n ast.Node) error {
			w, err := word(n, name)
			if err != nil {
				return err
			}
			r, err := parseRule(w)
			if err != nil {
				return errAt(n, "%s", err)
			}
			e.Counts = append(e.Counts, CountRule{name, r})
			return nil
		}})
	}
	return mapping(n, "expect", append(fields,
		field{"write-gap", func(n ast.Node) error { return readGaps(&e.WriteGap, "write-gap", n) }},
		field{"flow-gap", func(n ast.Node) error { return readGaps(&e.FlowGap, "flow-gap", n) }},
		field{"ack-p99", limit(&e.AckP99, "ack-p99")},
		field{"flow-p99", limit(&e.FlowP99, "flow-p99")},
	)...)
}

// limit reads a time that is expected: of 0 nobody could tell it from one that is not there.
func limit(into *time.Duration, what string) func(ast.Node) error {
	return func(n ast.Node) error {
		if err := duration(into, what)(n); err != nil {
			return err
		}
		if *into == 0 {
			return errAt(n, "%s is more than 0: leave it out where nothing is expected", what)
		}
		return nil
	}
}

// readGaps reads a time, the worst of all; or a time for each kind of fault; or median and worst for each.
func readGaps(into *[]GapRule, what string, n ast.Node) error {
	if _, ok := n.(ast.MapNode); !ok {
		r := GapRule{Kind: "any"}
		err := limit(&r.Worst, what)(n)
		*into = append(*into, r)
		return err
	}
	var fields []field
	for _, kind := range gapKinds() {
		fields = append(fields, field{kind, func(n ast.Node) error {
			r := GapRule{Kind: kind}
			var err error
			if _, ok := n.(ast.MapNode); ok {
				err = mapping(n, what, field{"median", limit(&r.Median, "the median")}, field{"worst", limit(&r.Worst, "the worst")})
				if err == nil && r.Median == 0 && r.Worst == 0 {
					err = errAt(n, "%s of %s says nothing: give it a time, or median and worst", what, kind)
				}
			} else {
				err = limit(&r.Worst, what)(n)
			}
			*into = append(*into, r)
			return err
		}})
	}
	return mapping(n, what, fields...)
}
