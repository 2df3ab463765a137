package drill

import (
	"context"
	"time"

	"kassa/kafkaops"
	"kassa/kafkaops/watch"
)

// current is the timeline that what happens now belongs to; nil if none. The caller holds r.mu.
func (r *Recorder) current() *Timeline {
	if n := len(r.lines); n > 0 && r.lines[n-1].Open {
		return r.lines[n-1]
	}
	return nil
}

func (r *Recorder) observe(before, after *watch.State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lines) > 0 && r.cfg.Producer != nil && r.life.Err() == nil {
		for _, c := range watch.Diff(before, after) {
			if up, ok := c.(watch.BrokerUp); ok {
				r.warmer.begin()
				r.done.Go(func() { r.warmer.warm(r.life, up.Node) })
			}
		}
	}
	if t := r.current(); t != nil && !after.At.Before(t.At) {
		r.given = nil
		was := len(t.Phases)
		t.observe(before, after)
		if len(t.Phases) != was {
			r.lastEvent = after.At
		}
	}
}

// saw is called by the probe's client.
func (r *Recorder) saw(s Sign) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.Node < 0 { // a connection of the bootstrap list
		for _, n := range r.cfg.Cluster.Nodes() {
			if n.Addr == s.Addr {
				s.Node = n.ID
			}
		}
	}
	if t := r.current(); t != nil && t.explains(s) {
		r.given = nil
		t.see(ClientSaw, s.At, s.What, false)
	}
}

// Flowed tells of an email event: when its payment was made, and when the email was seen.
func (r *Recorder) Flowed(paid, seen time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.current(); t != nil && paid.After(t.At) {
		r.given = nil
		t.see(FlowResumed, seen, "", false)
	}
}

// look keeps the gap of the current timeline up to date, and ends it and the probe when all is over.
func (r *Recorder) look(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if p := r.lookAt(now); p != nil {
				p.Close()
			}
		}
	}
}

// lookAt returns a probe that has done its work.
func (r *Recorder) lookAt(now time.Time) (over *Probe) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.follow(now)
	t := r.current()
	if t != nil {
		r.measure(t, now)
		if r.settled(t, now) {
			r.end(t, now)
			t = nil
		}
	}
	if t == nil && r.stalled == nil && r.probe != nil && (now.Sub(r.armed) > armedFor || r.probe.Full()) {
		over, r.probe = r.probe, nil
	}
	return over
}

func (r *Recorder) measure(t *Timeline, to time.Time) {
	if r.probe == nil || !t.Probed {
		return
	}
	g := r.probe.Gap(t.At, to)
	if g == t.Gap {
		return
	}
	t.Gap, r.given = g, nil
	switch {
	case g.Resumed.IsZero():
		t.unsee(AcksResumed) // that was of a shorter one
	case g.Worst >= 4*shortestGap:
		t.see(AcksResumed, g.Resumed, "", true)
	}
}

// follow measures the gap that outlasted its act, until it is over or the probe can tell no longer.
func (r *Recorder) follow(now time.Time) {
	t := r.stalled
	if t == nil || r.probe == nil {
		return
	}
	r.given = nil
	if t.Gap = r.probe.Gap(t.At, t.cut); t.Gap.Open {
		if t.Gap = r.probe.Gap(t.At, now); r.probe.Full() {
			r.unfollow()
		}
		return
	}
	t.see(AcksResumed, t.Gap.Resumed, "", true)
	if last := r.current(); last != nil && last.Stalled {
		last.see(AcksResumed, t.Gap.Resumed, "", true)
		r.lastEvent = now
	}
	r.unfollow()
}

func (r *Recorder) unfollow() {
	if r.stalled != nil {
		r.stalled.Outlasts, r.stalled, r.given = false, nil, nil
	}
}

func (r *Recorder) settled(t *Timeline, now time.Time) bool {
	age := now.Sub(t.At)
	switch {
	case t.Gap.Open:
		return r.probe == nil || r.probe.Full()
	case t.Stalled && r.stalled != nil:
		return false
	case age > openFor:
		return true
	case t.Took == 0 || now.Sub(r.lastEvent) < quietFor:
		return false
	}
	switch t.Fault.Verb {
	case kafkaops.Start, kafkaops.Restart, kafkaops.Resume, kafkaops.Reconnect:
		s := r.cfg.Watcher.State()
		return whole(s) && astray(s) == 0 || age > returnFor
	}
	return true
}

// end closes a timeline with its last measure. The probe goes on for a while: often another fault follows.
func (r *Recorder) end(t *Timeline, at time.Time) {
	if !t.Open {
		return
	}
	r.measure(t, at)
	t.Open, r.given = false, nil
	r.armed = at.Add(10*time.Second - armedFor)
}
