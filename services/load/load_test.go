package load

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"kassa/services/events"
)

// bubble runs a Load against a submit of the test's in fake time.
func bubble(t *testing.T, submit Submit, test func(t *testing.T, l *Load)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := New(submit, 1)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); l.Run(ctx) }()
		test(t, l)
		cancel()
		<-done
	})
}

func accept(_ string, _ []events.Item, done func(error)) { done(nil) }

// The rate holds over minutes, whatever it is: rounds are paced by a schedule and not by sleeps that add up.
func TestRateDoesNotDrift(t *testing.T) {
	for _, rate := range []int{1, 3, 7, 199, 200, 1999, 2000} {
		bubble(t, accept, func(t *testing.T, l *Load) {
			seconds := min(120, 1+20_000/rate)
			l.Set(rate, true)
			synctest.Wait()
			time.Sleep(time.Duration(seconds) * time.Second)
			synctest.Wait()
			want := int64(rate * seconds)
			if f := l.Figures(); f.Offered < want-int64(rate/50) || f.Offered > want+2 || f.Accepted != f.Offered || f.Shed != 0 {
				t.Errorf("at %d a second: %+v, want %d", rate, f, want)
			}
		})
	}
}

func TestOffIsOffAndANewRateCountsAtOnce(t *testing.T) {
	bubble(t, accept, func(t *testing.T, l *Load) {
		step := func(rate int, on bool) int64 {
			before := l.Figures().Offered
			l.Set(rate, on)
			synctest.Wait()
			time.Sleep(10 * time.Second)
			synctest.Wait()
			return l.Figures().Offered - before
		}
		if n := step(100, false); n != 0 {
			t.Errorf("%d offered while off", n)
		}
		if n := step(100, true); n < 998 || n > 1002 {
			t.Errorf("%d offered in 10 s at 100", n)
		}
		if n := step(500, true); n < 4990 || n > 5010 {
			t.Errorf("%d offered in 10 s at 500", n)
		}
		if n := step(500, false); n != 0 {
			t.Errorf("%d offered after it was turned off", n)
		}
		if n := step(0, true); n < 10 || n > 11 {
			t.Errorf("%d offered at the least rate", n)
		}
		if l.Set(1e6, false); l.Figures().Rate != MaxRate || l.Figures().On {
			t.Errorf("%+v", l.Figures())
		}
	})
}

// What could not be offered in time is made up for within a second; more is counted and never offered in a burst.
func TestLateIsCaughtUpWithinABound(t *testing.T) {
	s := schedule{start: time.Unix(0, 0), every: 10 * time.Millisecond}
	at := func(d time.Duration) (int64, int64) { return s.due(s.start.Add(d)) }
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
		if due, shed := at(c.at); due != c.due || shed != c.shed {
			t.Errorf("at %s: %d due and %d shed, want %d and %d", c.at, due, shed, c.due, c.shed)
		}
	}
}

func TestFigures(t *testing.T) {
	n := 0
	submit := func(_ string, _ []events.Item, done func(error)) {
		n++
		switch n % 4 {
		case 0:
			done(errors.New("no"))
		case 1: // nobody knows yet
		default:
			done(nil)
		}
	}
	bubble(t, submit, func(t *testing.T, l *Load) {
		l.Set(100, true)
		synctest.Wait()
		time.Sleep(995 * time.Millisecond)
		synctest.Wait()
		// The last round was at 980 ms.
		if f := l.Figures(); f.Offered != 99 || f.Accepted != 50 || f.Refused != 24 || f.Pending != 25 {
			t.Errorf("%+v", f)
		}
	})
}

func TestSameSeedSameCarts(t *testing.T) {
	shop := func() (got []string) {
		bubble(t, func(user string, cart []events.Item, done func(error)) {
			for _, item := range cart {
				user += "," + item.Name
			}
			got = append(got, user)
			done(nil)
		}, func(_ *testing.T, l *Load) {
			l.Set(1000, true)
			synctest.Wait()
			time.Sleep(time.Second)
			synctest.Wait()
		})
		return got
	}
	a, b := shop(), shop()
	distinct := make(map[string]bool)
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("%q and %q", a[i], b[i])
		}
		distinct[a[i]] = true
	}
	if len(distinct) < len(a)/2 {
		t.Errorf("%d carts, of which %d differ", len(a), len(distinct))
	}
}
