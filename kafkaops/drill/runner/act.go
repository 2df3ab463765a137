package runner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
	"kassa/kafkaops/drill/scenario"
	"kassa/kafkaops/watch"
)

// act is something that was done, in the words of the result.
type act struct {
	drill.FaultResult
	harm bool
	open bool // its end was not seen yet: another act ends it
}

// picker draws what a scenario leaves to chance.
type picker struct{ *rand.Rand }

func newPicker(seed uint64) picker { return picker{rand.New(rand.NewPCG(seed, 1))} }

func (p picker) of(ids []int32) int32 { return ids[p.IntN(len(ids))] }

// act does what a step says.
func (r *run) act(ctx context.Context, a scenario.Act) error {
	r.file(time.Now(), false)
	switch {
	case a.Verb == scenario.Verb(kafkaops.Elect):
		return r.elect(ctx, a)
	case a.ToBroker():
		return r.toBrokers(ctx, a)
	}
	at := time.Now()
	r.begins(acted{at: at, text: a.String()})
	f := drill.FaultResult{Kind: string(a.Verb), Target: a.On.String(), At: at, Phases: map[string]float64{}}
	if a.What != "" {
		f.Target = a.What
	}
	err := r.toShop(ctx, a, &f)
	if err != nil {
		f.Err = err.Error()
	}
	done := &act{FaultResult: f, harm: a.Harms(), open: true}
	r.acts = append(r.acts, done)
	if a.Verb == scenario.Crash && err == nil {
		r.backs.Go(func() { r.awaitBack(ctx, a.On.Service, done) })
	}
	r.status.did(a.Harms())
	return err
}

// begins notes that an act is about to be done: what is waited for from now on is waited for after it.
func (r *run) begins(a acted) {
	r.last = a
	r.cfg.Meter.mark(a.at)
	r.status.now(a.text)
}

// ServiceBack is when a service that crashed has its instances and its partitions again.
const ServiceBack drill.Mark = "service back"

func (r *run) awaitBack(ctx context.Context, name string, a *act) {
	want := r.restarts(name)
	if r.await(ctx, scenario.DefaultWithin, func() bool {
		st := r.cfg.Shop.Service(name).State()
		return st.Running && st.Restarts >= want
	}) != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	a.Phases[string(ServiceBack)] = drill.Ms(time.Since(a.At))
}

// restarts is how often a service must have been started again by now.
func (r *run) restarts(name string) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.restarted[name]
}

// toShop does what is done to no broker.
func (r *run) toShop(ctx context.Context, a scenario.Act, f *drill.FaultResult) (err error) {
	shop := r.cfg.Shop
	switch a.Verb {
	case scenario.Poison:
		f.Target, err = shop.Poison(ctx, a.What, r.pick.Uint64())
		return err
	case scenario.Oversize:
		_, err = shop.Oversize(ctx, a.What)
		return err
	case scenario.DeleteTopic:
		return shop.DeleteTopic(ctx, a.What)
	case scenario.CreateTopic:
		return shop.CreateTopics(ctx)
	}
	name := a.On.Service
	s := shop.Service(name)
	if s == nil {
		return fmt.Errorf("there is no service %s here", name)
	}
	switch a.Verb {
	case scenario.Crash:
		st := s.State()
		if st.Stopped {
			return fmt.Errorf("%s is stopped: there is nothing that could crash", name)
		}
		want := st.Restarts + 1
		r.mu.Lock()
		r.restarted[name] = want
		r.mu.Unlock()
		return s.Crash()
	case scenario.Scale:
		return s.Scale(a.Instances)
	case scenario.Verb(kafkaops.Stop):
		r.mu.Lock()
		delete(r.restarted, name) // one that crashed just now is not restarted any more
		r.mu.Unlock()
		ctx, cancel := context.WithTimeout(ctx, scenario.DefaultWithin) // payment gives up nothing that is pending while Kafka is away
		defer cancel()
		return s.Stop(ctx)
	case scenario.Verb(kafkaops.Start):
		return s.Start()
	}
	return fmt.Errorf("a service cannot %s", a.Verb)
}

// electTries is how often an election is tried. A broker may have left the ISR again in the moment of it, where the machine is too busy for
// the profile's time-outs; whoever asks for preferred leaders means as soon as they can lead.
const electTries = 5

// elect has the preferred leaders lead.
func (r *run) elect(ctx context.Context, a scenario.Act) error {
	for n := 1; ; n++ {
		err := r.toBrokers(ctx, a)
		if err == nil || n == electTries || ctx.Err() != nil {
			return err
		}
		r.cfg.Log.Info("an election is tried again", "err", err)
		r.status.now("waiting until the preferred leaders can lead")
		if r.await(ctx, scenario.DefaultWithin, func() bool { return unwhole(r.cfg.Cluster.State()) == "" }) != nil {
			return err
		}
	}
}

// toBrokers does a fault to each broker that plays the role.
func (r *run) toBrokers(ctx context.Context, a scenario.Act) error {
	var faults []kafkaops.Fault
	err := r.await(ctx, targetWithin, func() bool {
		faults = r.resolve(a)
		return len(faults) > 0 || a.On.Kind == scenario.All
	})
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("nobody is that: %s", a.On)
	}
	for _, f := range faults {
		before := r.last
		r.begins(acted{at: time.Now(), broker: true, text: f.String()})
		if f.Node != 0 {
			r.hit = f.Node
		}
		if err := r.cfg.Cluster.Do(ctx, f); err != nil {
			if _, refused := errors.AsType[*kafkaops.RefusedError](err); refused {
				r.last = before
				refusal := drill.FaultResult{Kind: string(f.Verb), Target: a.On.String(), Node: f.Node, At: time.Now(), Phases: map[string]float64{}, Err: err.Error()}
				r.acts = append(r.acts, &act{FaultResult: refusal, harm: a.Harms()})
			}
			return err
		}
	}
	r.status.did(a.Harms())
	return nil
}

// resolve finds the brokers that play an act's role now; none if nobody does, or nobody knows.
func (r *run) resolve(a scenario.Act) []kafkaops.Fault {
	verb := kafkaops.Verb(a.Verb)
	switch verb {
	case kafkaops.Elect, kafkaops.Rolling:
		return []kafkaops.Fault{{Verb: verb}}
	}
	nodes := r.cfg.Cluster.Nodes()
	gone := away(nodes)
	var faults []kafkaops.Fault
	for _, id := range r.whom(a.On, verb, nodes, gone) {
		byRole := a.On.Kind != scenario.Broker && a.On.Kind != scenario.Same && a.On.Kind != scenario.All
		if _, off := gone[id]; off && byRole && a.Harms() {
			continue // nobody plays the part until another has taken over
		}
		f := kafkaops.Fault{Verb: verb, Node: id}
		if a.Verb == scenario.Back {
			back, ok := gone[id]
			if !ok {
				continue
			}
			f.Verb = back
		}
		if byRole {
			f.Role = kafkaops.Role(a.On.String())
		}
		faults = append(faults, f)
	}
	return faults
}

// whom are the ids of those who play a role.
func (r *run) whom(t scenario.Target, verb kafkaops.Verb, nodes []kafkaops.Node, gone map[int32]kafkaops.Verb) []int32 {
	s := r.cfg.Cluster.State()
	one := func(ids []int32) []int32 {
		if len(ids) == 0 {
			return nil
		}
		return []int32{r.pick.of(ids)}
	}
	switch t.Kind {
	case scenario.Broker:
		return []int32{t.Node}
	case scenario.Same:
		return []int32{r.hit}
	case scenario.All:
		ids := slices.Sorted(maps.Keys(gone))
		return slices.DeleteFunc(ids, func(id int32) bool { return verb != kafkaops.Verb(scenario.Back) && gone[id] != verb })
	case scenario.Random:
		return one(up(s, func(watch.Node) bool { return true }))
	case scenario.Other:
		return one(up(s, func(n watch.Node) bool { return n.ID != r.hit }))
	case scenario.Controller, scenario.Follower:
		if !s.Quorum.Known || s.Quorum.Leader < 1 {
			return nil
		}
		if t.Kind == scenario.Controller {
			return []int32{s.Quorum.Leader}
		}
		return one(up(s, func(n watch.Node) bool { return n.ID != s.Quorum.Leader }))
	}
	for _, p := range s.Partitions {
		if p.Topic != t.Topic || p.ID != t.Partition || p.Leader < 1 {
			continue
		}
		followers := up(s, func(n watch.Node) bool { return n.ID != p.Leader && slices.Contains(p.ISR, n.ID) })
		switch t.Kind {
		case scenario.LeaderOf:
			return []int32{p.Leader}
		case scenario.FollowerOf:
			return one(followers)
		case scenario.FollowersOf:
			return followers
		}
	}
	return nil
}

// up are the brokers that are up and are so.
func up(s *watch.State, are func(watch.Node) bool) []int32 {
	var ids []int32
	for _, n := range s.Nodes {
		if n.Health == watch.Up && are(n) {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

// heal brings back what the scenario has left away: whoever audits needs every partition, and whoever has the cluster wants it whole.
func (r *run) heal(ctx context.Context) {
	interrupted := ctx.Err() != nil
	if interrupted {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), targetWithin)
		defer cancel()
	}
	for _, name := range r.cfg.Shop.Services() {
		if s := r.cfg.Shop.Service(name); s.State().Stopped {
			if err := s.Start(); err != nil {
				r.reasons = append(r.reasons, fmt.Sprintf("%s did not start again: %s", name, err))
			}
		}
	}
	var failed error
	for range 2 { // one that was paused and cut off comes back in two steps
		failed = nil
		for _, id := range slices.Sorted(maps.Keys(away(r.cfg.Cluster.Nodes()))) { // each, though another may fail
			failed = errors.Join(failed, r.act(ctx, scenario.Act{Verb: scenario.Back, On: scenario.Target{Kind: scenario.Broker, Node: id}}))
		}
	}
	if failed != nil {
		r.reasons = append(r.reasons, fmt.Sprintf("not every broker came back: %s", failed))
		return
	}
	if interrupted {
		return
	}
	r.status.now("waiting until the cluster is whole")
	if err := r.await(ctx, readyWithin, func() bool { return r.unready() == "" }); err != nil && ctx.Err() == nil {
		r.failed = append(r.failed, drill.Check{What: fmt.Sprintf("all is whole again %s after the last step", readyWithin), Saw: r.unready()})
	}
}
