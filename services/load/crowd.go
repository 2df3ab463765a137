package load

import (
	"container/heap"
	"time"
)

// afterRefusal is how long a customer who was turned away stays away at least: without time to think a shop that is closed would be
// asked by all of them in every round.
const afterRefusal = time.Second

// crowd is the customers of a closed loop. Each is either away (they wait for an answer) or home until they order again.
type crowd struct {
	generation int // customers of an older one do not come back
	want       int // 0: there is no closed loop
	out        int // who wait for an answer
	home       queue
	opens      time.Time // nobody leaves before: those who order within a tick go together
}

// set makes the crowd fit a plan. Those who are there already stay; new ones come spread over the time to think, so that they do not
// walk in step.
func (c *crowd) set(p Plan, now time.Time) {
	if !p.On || p.Mode != Closed {
		*c = crowd{generation: c.generation + 1}
		return
	}
	c.want = p.Customers
	for i, due := range c.home {
		c.home[i] = earliest(due, now.Add(p.Think))
	}
	for i, n := 0, c.want-c.out-len(c.home); i < n; i++ {
		c.home = append(c.home, now.Add(p.Think/time.Duration(n)*time.Duration(i)))
	}
	c.home = c.home[:min(len(c.home), max(c.want-c.out, 0))]
	heap.Init(&c.home)
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// leave is how many go to order now.
func (c *crowd) leave(now time.Time) (n int) {
	if now.Before(c.opens) {
		return 0
	}
	for ; len(c.home) > 0 && !c.home[0].After(now); n++ {
		heap.Pop(&c.home)
	}
	if n > 0 {
		c.out, c.opens = c.out+n, now.Add(tick)
	}
	return n
}

// back is a customer who has an answer. First says that nobody orders before them, so that whoever waits for next should look again.
func (c *crowd) back(generation int, p Plan, now time.Time, refused bool) (first bool) {
	if generation != c.generation {
		return false
	}
	c.out--
	if c.out+len(c.home) >= c.want {
		return false // there are fewer customers now
	}
	think := p.Think
	if refused {
		think = max(think, afterRefusal)
	}
	due := now.Add(think)
	heap.Push(&c.home, due)
	return c.home[0].Equal(due)
}

// next is when somebody orders; not ok when all of them wait for an answer.
func (c *crowd) next() (at time.Time, ok bool) {
	if len(c.home) == 0 {
		return time.Time{}, false
	}
	if c.home[0].Before(c.opens) {
		return c.opens, true
	}
	return c.home[0], true
}

// queue is a heap of times, the earliest first.
type queue []time.Time

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].Before(q[j]) }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)        { *q = append(*q, x.(time.Time)) }
func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}
