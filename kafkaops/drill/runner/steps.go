package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kassa/kafkaops/drill"
	"kassa/kafkaops/drill/scenario"
)

// rounds does the steps, until one cannot be done or its event does not come.
func (r *run) rounds(ctx context.Context) {
	for range max(r.cfg.Scenario.Rounds, 1) {
		begun := time.Now()
		for i, st := range r.steps {
			if err := r.step(ctx, begun, st); err != nil {
				if ctx.Err() == nil {
					r.stepFailed(i, st, err)
				}
				return
			}
		}
	}
}

// lateError says that an event did not come.
type lateError struct {
	event scenario.Event
	limit time.Duration
	why   string
}

func (e *lateError) Error() string {
	return fmt.Sprintf("not after %s: %s", e.limit, e.why)
}

func (r *run) stepFailed(i int, st scenario.Step, err error) {
	name := fmt.Sprintf("step %d", i+1)
	if st.Line > 0 {
		name += fmt.Sprintf(" (line %d)", st.Line)
	}
	r.cfg.Log.Warn("a step failed", "step", i+1, "act", st.Act.String(), "err", err)
	if late, ok := errors.AsType[*lateError](err); ok {
		after := ""
		if r.last.text != "" {
			after = " after " + r.last.text
		}
		r.failed = append(r.failed, drill.Check{What: fmt.Sprintf("%s: %s%s within %s", name, late.event, after, late.limit), Saw: late.Error()})
		return
	}
	r.reasons = append(r.reasons, fmt.Sprintf("%s, %s, could not be done: %s", name, st.Act, err))
}

// step waits as the step says and does its act.
func (r *run) step(ctx context.Context, round time.Time, st scenario.Step) error {
	if st.At > 0 {
		r.status.now("waiting for the next step")
		if !r.rest(ctx, time.Until(round.Add(st.At))) {
			return ctx.Err()
		}
	}
	if st.After != "" {
		limit := st.Within
		if limit == 0 {
			limit = scenario.DefaultWithin
		}
		r.status.now(fmt.Sprintf("waiting: %s", st.After))
		if err := r.await(ctx, limit, func() bool { return r.has(st.After) }); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return &lateError{st.After, limit, r.whyNot(st.After)}
		}
	}
	if !r.rest(ctx, st.Wait) {
		return ctx.Err()
	}
	if st.Act.Verb == "" {
		return nil
	}
	return r.act(ctx, st.Act)
}

// await looks until is says yes.
func (r *run) await(ctx context.Context, limit time.Duration, is func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for !is() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return ctx.Err()
}

// rest waits, and says whether it was left to.
func (r *run) rest(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
