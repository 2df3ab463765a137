package scenario

import (
	"fmt"
	"slices"

	"kassa/kafkaops"
)

// check refuses what can be read and makes no sense.
func (s *Scenario) check() error {
	hit := false // some broker was hit in this round, so that there is a "same"
	acted := false
	for _, st := range s.Steps {
		fail := func(format string, args ...any) error { return &Error{st.Line, fmt.Sprintf(format, args...)} }
		if !acted && waitsForAct(st.After) {
			return fail("nothing was done yet after which %q could be", st.After)
		}
		a := st.Act
		switch service := a.ToService(); {
		case a.Verb == Crash && !service:
			return fail("crash is for a service (%s), and a broker is killed", list(serviceNames()))
		case service && !slices.Contains([]Verb{Crash, Scale, Verb(kafkaops.Stop), Verb(kafkaops.Start)}, a.Verb):
			return fail("a service can crash, stop, start and scale, not %s", a.Verb)
		case a.On.Kind == Same && !hit:
			return fail("no broker was hit yet that could be the same")
		case a.On.Kind == Other && !hit:
			return fail("no broker was hit yet besides which there could be another")
		case a.On.Kind == FollowersOf && !slices.Contains([]Verb{Verb(kafkaops.Pause), Verb(kafkaops.Kill), Verb(kafkaops.Cut), Verb(kafkaops.Stop)}, a.Verb):
			return fail("%s is for one broker at a time", a.Verb)
		case a.On.Kind == All && a.Harms():
			return fail("%s of all brokers leaves nobody who could tell what became of the orders: hit them one by one", a.Verb)
		}
		if a.Verb != "" {
			acted = true
		}
		if a.ToBroker() && a.On.Kind != NoTarget && a.On.Kind != All {
			hit = true
		}
	}
	return nil
}

// waitsForAct says that the event is about the act before.
func waitsForAct(e Event) bool {
	switch e {
	case "", Whole, ISRFull, ServicesUp, Settled:
		return false
	}
	return true
}
