package embedded

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kassa/kafkaops"
)

var began = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// modelled is a model with one topic of three partitions, and a quorum led by broker 1.
func modelled(p kafkaops.Profile) *model {
	m := newModel(timingOf(p), nodeCount, 1, began)
	m.leader = 1
	t := &topic{name: "t", minISR: 2}
	m.topics["t"] = t
	m.place(t, 3, 3, nil)
	return m
}

// run lets time pass.
func (m *model) run(d time.Duration) { m.advance(m.now.Add(d)) }

// until lets time pass in small steps until is says yes, and returns how long that took.
func (m *model) until(t *testing.T, is func() bool) time.Duration {
	t.Helper()
	from := m.now
	for !is() {
		if m.run(time.Millisecond); m.now.Sub(from) > 10*time.Minute {
			t.Fatal("not within ten minutes")
		}
	}
	return m.now.Sub(from)
}

func between(t *testing.T, what string, got, low, high time.Duration) {
	t.Helper()
	if got < low || got > high {
		t.Errorf("%s after %v, want %v to %v", what, got, low, high)
	}
}

func (m *model) part(i int) *partition { return m.topics["t"].parts[i] }

// The times are those of the profile: a session for a follower, and for the leader of the quorum an election before that.
func TestAKilledBrokerIsFencedAfterItsSession(t *testing.T) {
	for _, p := range []kafkaops.Profile{kafkaops.FastFailover(), kafkaops.Stock()} {
		m := modelled(p)
		m.run(time.Minute)
		m.killed(m.node(2))
		took := m.until(t, func() bool { return m.node(2).fenced })
		between(t, p.Name+": fenced", took, m.session-m.heartbeat, m.session)
		if q := m.part(1); q.leader != 3 || q.epoch != 1 || !slices.Equal(q.isr, []int32{3, 1}) {
			t.Errorf("its partition: %+v", q)
		}
		if q := m.part(0); q.leader != 1 || q.epoch != 0 || !slices.Equal(q.isr, []int32{1, 3}) {
			t.Errorf("one that it followed: %+v", q)
		}

		m = modelled(p)
		m.run(time.Minute)
		m.killed(m.node(1))
		elected := m.until(t, m.active)
		between(t, p.Name+": another controller", elected, m.fetch-min(noop, m.fetch), m.fetch)
		fenced := m.until(t, func() bool { return m.node(1).fenced })
		between(t, p.Name+": fenced by the new one, who counts anew", fenced, m.session-time.Millisecond, m.session+time.Millisecond)
	}
}

func TestAStopHandsOverFirst(t *testing.T) {
	m := modelled(kafkaops.Stock())
	if !m.leave(m.node(2)) {
		t.Fatal("it may not leave")
	}
	if m.part(1).leader == 2 || slices.Contains(m.part(0).isr, 2) {
		t.Errorf("it still leads or follows: %+v", m.part(1))
	}
	m.ended(m.node(2))
	m.booted(m.node(2))
	m.until(t, func() bool { return len(m.part(1).isr) == 3 })
}

func TestWithoutAQuorumNothingChanges(t *testing.T) {
	m := modelled(kafkaops.FastFailover())
	m.killed(m.node(2))
	m.run(5 * time.Second)
	m.killed(m.node(1))
	before := *m.part(0)
	end := m.end()
	m.run(time.Hour)
	if after := *m.part(0); after.leader != 1 || after.epoch != before.epoch || !slices.Equal(after.isr, before.isr) || m.end() != end {
		t.Errorf("in an hour without a quorum %+v became %+v", before, after)
	}
	if m.leader != -1 || m.active() || m.leave(m.node(3)) {
		t.Errorf("controller %d, active %v", m.leader, m.active())
	}
	epoch := m.epoch
	m.booted(m.node(1))
	took := m.until(t, m.active)
	between(t, "a controller", took, 0, 2*m.election)
	if m.epoch != epoch+1 {
		t.Errorf("epoch %d after %d", m.epoch, epoch)
	}
	m.until(t, func() bool { return len(m.part(0).isr) == 2 && m.part(0).leader > 0 })
}

// What was in sync when the ISR fell below the minimum may lead again (KIP-966), unless it said no goodbye.
func TestEligibleReplicas(t *testing.T) {
	m := modelled(kafkaops.FastFailover())
	for _, p := range m.every() {
		p.minISR = 3
	}
	m.killed(m.node(2))
	m.until(t, func() bool { return m.node(2).fenced })
	if p := m.part(0); !slices.Equal(p.elr, []int32{2}) {
		t.Errorf("%+v", p)
	}
	m.booted(m.node(2))
	if p := m.part(0); len(p.elr) != 0 {
		t.Errorf("a broker that was killed is eligible: %+v", p)
	}
	m.until(t, func() bool { return len(m.part(0).isr) == 3 })
	if p := m.part(0); len(p.elr) != 0 {
		t.Errorf("%+v", p)
	}
}

func TestAShortPauseMovesNothing(t *testing.T) {
	m := modelled(kafkaops.Stock())
	n := m.node(3)
	m.silence(n, &n.paused)
	if m.image().topics["t"].parts[0].acks {
		t.Error("writes are acknowledged that a replica in the ISR does not have")
	}
	m.run(3 * time.Second)
	m.heardAgain(n, &n.paused)
	m.run(time.Minute)
	if p := m.part(2); p.leader != 3 || p.epoch != 0 || len(p.isr) != 3 || m.epoch != 1 {
		t.Errorf("%+v", p)
	}
	if !m.image().topics["t"].parts[0].acks {
		t.Error("writes are not acknowledged")
	}
}

func TestPreferredLeadersComeBack(t *testing.T) {
	m := modelled(kafkaops.FastFailover())
	m.killed(m.node(2))
	m.run(5 * time.Second)
	m.booted(m.node(2))
	m.until(t, func() bool { return len(m.part(1).isr) == 3 })
	if m.part(1).leader == 2 {
		t.Error("it leads at once")
	}
	took := m.until(t, func() bool { return m.part(1).leader == 2 })
	between(t, "the preferred leader", took, 0, m.imbalance)
}

// Whatever is done to the brokers, these hold at every moment, and when all is well again everything comes back.
func TestWhateverHappensToTheBrokers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom([]kafkaops.Profile{kafkaops.FastFailover(), kafkaops.Stock()}).Draw(t, "profile")
		m := modelled(p)
		for _, q := range m.every() {
			q.minISR = rapid.IntRange(1, 3).Draw(t, "min ISR")
		}
		epochs, quorum, end := map[int]int32{}, int32(0), int64(0)
		check := func() {
			active := m.active()
			if m.epoch < quorum || m.end() < end {
				t.Fatalf("the quorum went back: epoch %d after %d, end %d after %d", m.epoch, quorum, m.end(), end)
			}
			quorum, end = m.epoch, m.end()
			if active && !m.node(m.leader).reachable() {
				t.Fatalf("the controller %d cannot be reached", m.leader)
			}
			for i, q := range m.every() {
				if q.epoch < epochs[i] {
					t.Fatalf("partition %d: epoch %d after %d", i, q.epoch, epochs[i])
				}
				epochs[i] = q.epoch
				if q.leader >= 0 && !slices.Contains(q.isr, q.leader) {
					t.Fatalf("partition %d: leader %d is not in the ISR %v", i, q.leader, q.isr)
				}
				for _, r := range q.isr {
					if !slices.Contains(q.replicas, r) || slices.Contains(q.elr, r) {
						t.Fatalf("partition %d: ISR %v, ELR %v, replicas %v", i, q.isr, q.elr, q.replicas)
					}
					if m.node(r).fenced {
						t.Fatalf("partition %d: %d is fenced and in the ISR", i, r)
					}
				}
			}
		}
		for range rapid.IntRange(1, 30).Draw(t, "acts") {
			n := m.node(int32(rapid.IntRange(1, nodeCount).Draw(t, "broker")))
			switch rapid.SampledFrom([]string{"kill", "stop", "pause", "resume", "cut", "reconnect", "start", "wait"}).Draw(t, "act") {
			case "kill":
				if n.up {
					m.killed(n)
				}
			case "stop":
				if n.up && !n.paused && m.leave(n) { // one that is cut off reaches nobody to leave
					m.ended(n)
				}
			case "pause":
				if n.up && !n.paused {
					m.silence(n, &n.paused)
				}
			case "resume":
				if n.paused {
					m.heardAgain(n, &n.paused)
				}
			case "cut":
				if n.up && !n.cut {
					m.silence(n, &n.cut)
				}
			case "reconnect":
				if n.cut {
					m.heardAgain(n, &n.cut)
				}
			case "start":
				if !n.up {
					m.booted(n)
				}
			}
			check()
			for range rapid.IntRange(0, 20).Draw(t, "steps") {
				m.run(time.Duration(rapid.IntRange(1, 1000).Draw(t, "ms")) * time.Millisecond)
				check()
			}
		}
		for _, n := range m.nodes {
			switch {
			case !n.up:
				m.booted(n)
			case n.paused && n.cut:
				m.heardAgain(n, &n.cut)
				m.heardAgain(n, &n.paused)
			case n.cut:
				m.heardAgain(n, &n.cut)
			case n.paused:
				m.heardAgain(n, &n.paused)
			}
		}
		m.run(2*m.imbalance + 5*time.Minute)
		check()
		for i, q := range m.every() {
			if len(q.isr) != 3 || len(q.elr) != 0 || q.leader != q.replicas[0] {
				t.Fatalf("partition %d when all is well again: %+v", i, *q)
			}
		}
		if !m.active() || len(m.due) > 50 {
			t.Fatalf("active %v, %d events to come", m.active(), len(m.due))
		}
	})
}
