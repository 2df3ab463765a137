package compare

import (
	"context"
	"fmt"

	"kassa/kafkaops/drill"
)

// MaxRuns bounds the runs of each side.
const MaxRuns = 100

// Turn is one run of one side.
type Turn struct {
	Side int // 0 for A, 1 for B
	N    int // which of its runs, from 1
	Seed uint64
}

// Letter is the side's: A or B.
func (t Turn) Letter() string { return string(rune('A' + t.Side)) }

// Order is who runs when: in turn, and every second pair the other way round (A B, B A, A B …), so that a machine that gets slower or warmer favours
// nobody. Both sides of a pair have the same seed; each pair adds 1 to it.
func Order(runs int, seed uint64) []Turn {
	var out []Turn
	for n := range runs {
		first := n % 2
		for _, side := range []int{first, 1 - first} {
			out = append(out, Turn{Side: side, N: n + 1, Seed: seed + uint64(n)})
		}
	}
	return out
}

// Runner carries one run out. A result without a verdict is an answer; an error is that there could be none.
type Runner func(ctx context.Context, t Turn) (*drill.Result, error)

// Run carries all runs out and sums them up. sides are what is in force. After an error, or when ctx ends, it says what there is by then, and in
// Unfinished why there is no more; the error is returned too where not a single run came to its end.
func Run(ctx context.Context, sides [2]Side, runs int, seed uint64, run Runner) (*Comparison, error) {
	c := &Comparison{Seed: seed, Runs: runs}
	for i, s := range sides {
		c.Sides[i] = SideResult{Name: s.Name, set: s.Set, own: s.Own, Promises: Safe(s.Set)}
	}
	for _, t := range Order(runs, seed) {
		res, err := run(ctx, t)
		if err != nil {
			if len(c.Done) == 0 {
				return nil, err
			}
			c.Unfinished = append(c.Unfinished, fmt.Sprintf("run %d of %s could not be carried out: %v", t.N, t.Letter(), err))
			break
		}
		c.Done = append(c.Done, Done{Turn: t, Result: res})
		if ctx.Err() != nil {
			c.Unfinished = append(c.Unfinished, "it was interrupted")
			break
		}
	}
	c.sumUp()
	return c, nil
}
