package load

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// What could not be offered in time is made up for within a second; more is counted and never offered in a burst.
func TestLateIsCaughtUpWithinABound(t *testing.T) {
	s := schedule{start: time.Unix(0, 0), from: 100, to: 100}
	for _, c := range []struct {
		at        time.Duration
		due, shed int64
	}{
		{0, 1, 0},
		{5 * time.Millisecond, 0, 0},
		{20 * time.Millisecond, 2, 0},
		{820 * time.Millisecond, 80, 0},
		{3820 * time.Millisecond, 100, 200},
		{3830 * time.Millisecond, 1, 0},
		{0, 0, 0},
	} {
		if from, to, shed := s.due(s.start.Add(c.at)); to-from != c.due || shed != c.shed {
			t.Errorf("at %s: %d due and %d shed, want %d and %d", c.at, to-from, shed, c.due, c.shed)
		}
	}
}

// However late and seldom the rounds are, each checkout that is due is offered or shed, once, and none before its time.
func TestDueIsOfferedOrShed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := schedule{
			start: time.Unix(0, 0),
			from:  rapid.IntRange(1, MaxRate).Draw(t, "from"),
			to:    rapid.IntRange(1, MaxRate).Draw(t, "to"),
			over:  time.Duration(rapid.Int64Range(0, int64(MaxRamp)).Draw(t, "over")),
		}
		var offered, shed, next int64
		var passed time.Duration
		for range rapid.IntRange(1, 50).Draw(t, "rounds") {
			passed += time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "pause"))
			from, to, lost := s.due(s.start.Add(passed))
			if from < next || from-next != lost || to < from {
				t.Fatalf("%d to %d with %d shed, after %d", from, to, lost, next)
			}
			if from < to && s.after(from) > passed {
				t.Fatalf("the %d-th was given at %s and is due at %s", from, passed, s.after(from))
			}
			offered, shed, next = offered+to-from, shed+lost, to
		}
		if total := s.total(passed); offered+shed != total {
			t.Fatalf("%d offered and %d shed of %d", offered, shed, total)
		}
		if !s.next().After(s.start.Add(passed)) {
			t.Fatalf("the next is due at %s, and it is %s", s.next(), passed)
		}
	})
}

// A checkout falls into the first nanosecond that counts it, on a ramp and after days.
func TestTimeAndCountAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := schedule{
			from: rapid.IntRange(1, MaxRate).Draw(t, "from"),
			to:   rapid.IntRange(1, MaxRate).Draw(t, "to"),
			over: time.Duration(rapid.Int64Range(0, int64(MaxRamp)).Draw(t, "over")),
		}
		n := rapid.Int64Range(0, 30*86400*int64(s.to)).Draw(t, "n")
		d := s.after(n)
		if total := s.total(d); total <= n {
			t.Fatalf("%d falls into %s, where %d are due", n, d, total)
		}
		if d > s.over+1 && s.total(d-1) > n {
			t.Fatalf("%d is due before %s", n, d)
		}
		if d < s.over && d > time.Microsecond && s.total(d-time.Microsecond) > n {
			t.Fatalf("%d is due a microsecond before %s", n, d)
		}
	})
}
