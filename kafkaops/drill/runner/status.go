package runner

import (
	"sync"
	"time"

	"kassa/kafkaops/drill"
	"kassa/kafkaops/drill/scenario"
)

// Progress is how far a drill has come.
type Progress struct {
	Stage string // "warming up for 8s: …", "running", "auditing the log"
	Now   string // what is done or waited for: "kill -9 broker 2, controller", "waiting: writes go on"; mostly empty but when running
	// Over is an act whose consequences are all known; nil when only the rest has changed. Recovery says that it gave something back.
	Over     *drill.FaultResult
	Recovery bool

	Begun      time.Time // after the warm-up; zero before
	Faults, Of int       // done, of how many

	Accepted, Complete, InFlight int64         // since the drill began; InFlight is of now
	AcceptRate, CompleteRate     float64       // in the last seconds
	Elapsed                      time.Duration // since the warm-up
	Left                         time.Duration // about how long the load or the faults take yet; 0 where nobody knows
}

// status tells of progress.
type status struct {
	tell func(Progress)

	mu     sync.Mutex
	is     Progress
	recent [ratesOver]Figures
	n      int
}

// ratesOver is over how many seconds rates are.
const ratesOver = 5

// plan counts the faults that are to come.
func (s *status) plan(steps []scenario.Step, rounds int) {
	for _, st := range steps {
		if st.Act.Harms() {
			s.is.Of += rounds
		}
	}
}

func (s *status) change(f func(p *Progress)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.is)
	if s.tell != nil {
		s.tell(s.is)
	}
	s.is.Over = nil
}

func (s *status) stage(name string) { s.change(func(p *Progress) { p.Stage, p.Now = name, "" }) }
func (s *status) now(what string)   { s.change(func(p *Progress) { p.Now = what }) }

func (s *status) over(f drill.FaultResult, harm bool) {
	s.change(func(p *Progress) { p.Over, p.Recovery = &f, !harm })
}

func (s *status) did(harm bool) {
	if harm {
		s.change(func(p *Progress) { p.Faults++ })
	}
}

// second brings the figures up to date.
func (s *status) second(now, begun time.Time, f, base Figures, load scenario.Load) {
	s.change(func(p *Progress) {
		before := s.recent[s.n%ratesOver] // of so many seconds ago
		s.recent[s.n%ratesOver] = f
		if s.n++; s.n > ratesOver {
			p.AcceptRate = float64(f.Accepted-before.Accepted) / ratesOver
			p.CompleteRate = float64(f.Complete-before.Complete) / ratesOver
		}
		p.Accepted, p.Complete, p.InFlight = f.Accepted-base.Accepted, f.Complete-base.Complete, f.InFlight
		p.Elapsed = now.Sub(begun)
		p.Left = left(*p, f.Offered-base.Offered, load)
	})
}

// left is by the load where that has a length, else by the faults that are done.
func left(p Progress, offered int64, load scenario.Load) time.Duration {
	switch {
	case load.Duration > 0:
		return max(load.Duration-p.Elapsed, 0)
	case load.Checkouts > 0 && offered > 0:
		return time.Duration(float64(p.Elapsed) * float64(max(load.Checkouts-offered, 0)) / float64(offered))
	case p.Faults > 1 && p.Of > p.Faults:
		return time.Duration(float64(p.Elapsed) / float64(p.Faults) * float64(p.Of-p.Faults))
	}
	return 0
}
