package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kassa/services/events"
)

// bubble runs a Load against a submit of the test's in fake time.
func bubble(t *testing.T, submit Submit, test func(t *testing.T, l *Load)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := New(submit, events.DefaultCart(), 1)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); l.Run(ctx) }()
		test(t, l)
		cancel()
		<-done
	})
}

// pass lets fake time go by, and everything that happens in it.
func pass(d time.Duration) {
	synctest.Wait()
	time.Sleep(d)
	synctest.Wait()
}

func accept(_ string, _ []events.Item, done func(error)) { done(nil) }

// after answers so much later.
func after(d time.Duration) Submit {
	return func(_ string, _ []events.Item, done func(error)) { time.AfterFunc(d, func() { done(nil) }) }
}

func atRate(rate int) Plan { return Plan{On: true, Rate: rate} }

// The rate holds over minutes, whatever it is: rounds are paced by a schedule and not by sleeps that add up.
func TestRateDoesNotDrift(t *testing.T) {
	for _, rate := range []int{1, 3, 7, 50, 51, 199, 200, 1999, 2000, 30_000, 49_999, MaxRate} {
		bubble(t, accept, func(t *testing.T, l *Load) {
			seconds := min(120, 1+50_000/rate)
			l.Set(atRate(rate))
			pass(time.Duration(seconds) * time.Second)
			want := int64(rate*seconds) + 1 // one at the start
			if f := l.Figures(); f.Offered != want || f.Accepted != want || f.Shed != 0 || f.Rate != rate {
				t.Errorf("at %d a second: %+v, want %d offered", rate, f, want)
			}
		})
	}
}

func TestOffIsOffAndANewRateCountsAtOnce(t *testing.T) {
	bubble(t, accept, func(t *testing.T, l *Load) {
		step := func(rate int, on bool) int64 {
			before := l.Figures().Offered
			l.Set(Plan{On: on, Rate: rate})
			pass(10*time.Second - time.Millisecond)
			return l.Figures().Offered - before
		}
		for _, c := range []struct {
			rate int
			on   bool
			want int64
		}{{100, false, 0}, {100, true, 1000 - 1}, {500, true, 5000 - 9}, {500, false, 0}, {0, true, 10}} {
			if n := step(c.rate, c.on); n != c.want {
				t.Errorf("%d offered in 10 s at %d, on %v; want %d", n, c.rate, c.on, c.want)
			}
		}
		if l.Set(Plan{Rate: 1e6, Customers: 1e6, Think: time.Hour}); l.Figures().Plan != (Plan{Rate: MaxRate, Customers: MaxCustomers, Think: MaxThink}) {
			t.Errorf("%+v", l.Figures())
		}
	})
}

// At 200 a second a round of 20 ms takes four: the program does not wake up for each.
func TestRoundsAreShared(t *testing.T) {
	var at []time.Time
	submit := func(_ string, _ []events.Item, done func(error)) { at = append(at, time.Now()); done(nil) }
	bubble(t, submit, func(t *testing.T, l *Load) {
		l.Set(atRate(200))
		pass(10 * time.Second)
		rounds := make(map[time.Time]int)
		for _, a := range at {
			rounds[a]++
		}
		if len(rounds) > 501 || len(at) != 2001 {
			t.Errorf("%d rounds for %d checkouts in 10 s", len(rounds), len(at))
		}
	})
}

// A ramp goes evenly from the rate of now to its target, and stays there.
func TestRamp(t *testing.T) {
	bubble(t, accept, func(t *testing.T, l *Load) {
		l.Set(atRate(50))
		pass(time.Second)
		l.Set(Plan{On: true, Rate: 500, Over: 10 * time.Second})
		before := l.Figures().Offered
		for _, c := range []struct {
			rate int
			left time.Duration
			want int64 // offered since the start of the ramp: 50·t + 45·t²/2, and one at the start
		}{{95, 9 * time.Second, 73}, {140, 8 * time.Second, 191}, {185, 7 * time.Second, 353}} {
			pass(time.Second)
			if f := l.Figures(); f.Rate != c.rate || f.Left != c.left || f.Offered-before != c.want {
				t.Errorf("%d offered, at %d with %s left; want %+v", f.Offered-before, f.Rate, f.Left, c)
			}
		}
		pass(7 * time.Second)
		if f := l.Figures(); f.Rate != 500 || f.Left != 0 || f.Offered-before != 2751 {
			t.Errorf("at the end of the ramp: %d offered, %+v", f.Offered-before, f)
		}
		pass(10 * time.Second)
		if f := l.Figures(); f.Offered-before != 7751 {
			t.Errorf("10 s after the ramp: %d offered", f.Offered-before)
		}
		l.Set(Plan{On: true, Rate: 20, Over: 10 * time.Second})
		before = l.Figures().Offered
		pass(20 * time.Second)
		if n := l.Figures().Offered - before; n != 2600+200+1 {
			t.Errorf("down again and 10 s after: %d offered", n)
		}
	})
}

// A customer of a closed loop waits for the answer, then thinks, and only then orders again.
func TestClosedLoop(t *testing.T) {
	bubble(t, after(300*time.Millisecond), func(t *testing.T, l *Load) {
		plan := Plan{On: true, Mode: Closed, Customers: 10, Think: 700 * time.Millisecond}
		l.Set(plan)
		pass(20*time.Second - time.Millisecond)
		// Each orders once a second, the last of them first after 630 ms.
		f := l.Figures()
		if f.Offered != 200 || f.Pending > 10 || f.Latency.P50 < 295*time.Millisecond || f.Latency.P99 > 310*time.Millisecond {
			t.Errorf("%+v", f)
		}
		plan.Customers = 3
		l.Set(plan)
		pass(2 * time.Second)
		before := l.Figures().Offered
		pass(20 * time.Second)
		if n := l.Figures().Offered - before; n != 60 {
			t.Errorf("%d offered in 20 s by three customers", n)
		}
		l.Set(atRate(1))
		pass(2500 * time.Millisecond)
		before = l.Figures().Offered
		l.Set(Plan{Mode: Closed})
		pass(10 * time.Second)
		if f := l.Figures(); f.Offered != before || f.Pending != 0 {
			t.Errorf("%+v after the closed loop was turned off", f)
		}
	})
}

// Whoever waits for an answer when the loop gets smaller, or ends and begins again, does not come back beside the others.
func TestClosedLoopForgetsThoseWhoLeft(t *testing.T) {
	bubble(t, after(time.Second), func(t *testing.T, l *Load) {
		plan := Plan{On: true, Mode: Closed, Customers: 10}
		// Those who are answered at the same instant may leave again in different rounds, so that fewer wait for a moment.
		most := func(want int64) {
			t.Helper()
			var seen int64
			for range 50 {
				pass(100 * time.Millisecond)
				seen = max(seen, l.Figures().Pending)
			}
			if seen != want {
				t.Fatalf("up to %d customers wait, want %d", seen, want)
			}
		}
		l.Set(plan)
		pass(100 * time.Millisecond)
		plan.Customers = 3
		l.Set(plan)
		pass(time.Second)
		most(3)
		l.Set(Plan{})
		l.Set(plan)
		pass(2 * time.Second)
		most(3)
	})
}

// Customers without an answer do not order: that is what closes the loop.
func TestClosedLoopWaits(t *testing.T) {
	bubble(t, func(string, []events.Item, func(error)) {}, func(t *testing.T, l *Load) {
		l.Set(Plan{On: true, Mode: Closed, Customers: 20})
		pass(time.Minute)
		if f := l.Figures(); f.Offered != 20 || f.Pending != 20 {
			t.Errorf("%+v", f)
		}
	})
}

// Without time to think an answered customer orders in the next round; one who was refused stays away for a second.
func TestClosedLoopWithoutThinking(t *testing.T) {
	for _, c := range []struct {
		answer error
		want   int64
	}{{nil, 501 * 4}, {errors.New("closed"), 11 * 4}, {ErrUnknown, 11 * 4}} {
		bubble(t, func(_ string, _ []events.Item, done func(error)) { done(c.answer) }, func(t *testing.T, l *Load) {
			l.Set(Plan{On: true, Mode: Closed, Customers: 4})
			pass(10 * time.Second)
			if f := l.Figures(); f.Offered != c.want {
				t.Errorf("answered with %v: %d offered in 10 s, want %d", c.answer, f.Offered, c.want)
			}
		})
	}
}

func TestBurst(t *testing.T) {
	bubble(t, after(time.Second), func(t *testing.T, l *Load) {
		l.Burst(300)
		pass(0)
		if f := l.Figures(); f.Offered != 300 || f.Pending != 300 {
			t.Errorf("%+v", f)
		}
		l.Set(atRate(100))
		l.Burst(1e9)
		pass(10 * time.Second)
		if f := l.Figures(); f.Offered != 300+MaxBurst+1001 || f.Accepted != 300+MaxBurst+901 {
			t.Errorf("%+v", f)
		}
	})
}

// The wait of those who would have come while the load was held up is not left out.
func TestLatencyIsFromWhenACheckoutWasDue(t *testing.T) {
	var once sync.Once
	submit := func(_ string, _ []events.Item, done func(error)) {
		once.Do(func() { time.Sleep(500 * time.Millisecond) })
		done(nil)
	}
	bubble(t, submit, func(t *testing.T, l *Load) {
		l.Set(atRate(100))
		pass(990 * time.Millisecond)
		// Of 99 checkouts 50 were late, by 500 ms and less; measured from when they were handed in only one was.
		f := l.Figures()
		if f.Latency.Count != 99 || f.Latency.P50 > 20*time.Millisecond || f.Latency.P99 < 480*time.Millisecond || f.Latency.Max < 500*time.Millisecond {
			t.Errorf("%+v", f.Latency)
		}
	})
}

// Whoever counts for themselves is told of what was accepted, and of nothing else.
func TestWhoeverCountsIsToldWhenACheckoutWasDue(t *testing.T) {
	n := 0
	submit := func(_ string, _ []events.Item, done func(error)) {
		if n++; n%2 == 0 {
			done(errors.New("no"))
			return
		}
		time.AfterFunc(300*time.Millisecond, func() { done(nil) })
	}
	synctest.Test(t, func(t *testing.T) {
		l := New(submit, events.DefaultCart(), 1)
		var (
			mu   sync.Mutex // the answers come from several goroutines
			late []time.Duration
		)
		l.OnAccepted(func(due, now time.Time) {
			mu.Lock()
			defer mu.Unlock()
			late = append(late, now.Sub(due))
		})
		ctx, cancel := context.WithCancel(t.Context())
		go l.Run(ctx)
		l.Set(atRate(10))
		pass(time.Second + 350*time.Millisecond)
		cancel()
		mu.Lock()
		if len(late) != 6 || late[0] != 300*time.Millisecond {
			t.Errorf("told of %v", late)
		}
		mu.Unlock()
		pass(time.Second)
	})
}

// A checkout that shares a round is due with it: an idle shop shows no latency that is the load's own.
func TestRoundsAddNoLatency(t *testing.T) {
	for _, p := range []Plan{atRate(7), atRate(200), atRate(7_777), {On: true, Rate: 500, Over: 5 * time.Second}} {
		bubble(t, accept, func(t *testing.T, l *Load) {
			l.Set(p)
			pass(5 * time.Second)
			if f := l.Figures(); f.Latency.Count != f.Offered || f.Latency.Max > time.Microsecond {
				t.Errorf("%+v: %+v", p, f.Latency)
			}
			l.Set(Plan{Mode: Closed})
			if f := l.Figures(); f.Latency.Count != 0 {
				t.Error("the latency of another plan is kept")
			}
		})
	}
}

func TestFigures(t *testing.T) {
	n := 0
	submit := func(_ string, _ []events.Item, done func(error)) {
		n++
		switch n % 5 {
		case 0:
			done(errors.New("no"))
		case 1: // nobody has an answer yet
		case 2:
			done(fmt.Errorf("payment: %w", ErrUnknown))
		default:
			done(nil)
		}
	}
	bubble(t, submit, func(t *testing.T, l *Load) {
		l.Set(atRate(100))
		pass(990 * time.Millisecond)
		// The last round was at 980 ms.
		if f := l.Figures(); f.Offered != 99 || f.Accepted != 40 || f.Refused != 19 || f.Unknown != 20 || f.Pending != 20 || f.Latency.Count != 40 {
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
			l.Set(atRate(1000))
			pass(time.Second)
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

// BenchmarkOffer is what the load itself takes for a checkout, the cart and the latency included.
func BenchmarkOffer(b *testing.B) {
	l := New(accept, events.DefaultCart(), 1)
	l.Set(atRate(MaxRate))
	carts := rand.New(rand.NewPCG(1, 0))
	now := l.rates.start
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Second / MaxRate)
		l.round(now, carts)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(max(l.Figures().Offered, 1)), "ns/checkout")
}
