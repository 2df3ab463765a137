package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/kafkaops"
	"kassa/kafkaops/drill"
	"kassa/kafkaops/drill/runner"
	"kassa/kafkaops/drill/scenario"
	"kassa/kafkaops/watch"
	"kassa/services"
	"kassa/services/ledger"
	"kassa/services/load"
	"kassa/services/poison"
)

// drillCluster is a cluster with what watches and breaks it, as a drill sees it.
type drillCluster struct {
	kafkaops.Cluster
	watcher  *watch.Watcher
	recorder *drill.Recorder
}

func (c drillCluster) State() *watch.State { return c.watcher.State() }
func (c drillCluster) Arm()                { c.recorder.Arm() }

// Timelines implements runner.Cluster.
func (c drillCluster) Timelines() []drill.Timeline { return c.recorder.Timelines() }

// Do implements runner.Cluster: by the recorder, which measures what follows.
func (c drillCluster) Do(ctx context.Context, f kafkaops.Fault) error { return c.recorder.Do(ctx, f) }

// drillShop is the shop as a drill sees it.
type drillShop struct {
	*shop
	client []kgo.Opt
}

// Begin implements runner.Shop.
func (s drillShop) Begin(l scenario.Load) {
	p := load.Plan{On: true, Mode: load.Open, Rate: l.Rate, Customers: l.Customers, Think: l.Think}
	if l.Customers > 0 {
		p.Mode = load.Closed
	}
	s.load.Set(p)
}

// End implements runner.Shop.
func (s drillShop) End() {
	p := s.load.Figures().Plan
	p.On = false
	s.load.Set(p)
}

// Figures implements runner.Shop.
func (s drillShop) Figures() runner.Figures {
	l, t := s.load.Figures(), s.analytics.Totals()
	f := runner.Figures{
		Offered: l.Offered, Accepted: l.Accepted, Refused: l.Refused, Unknown: l.Unknown, Pending: l.Pending, Shed: l.Shed,
		Complete: t.Complete, InFlight: t.InFlight, Lag: s.lag(),
	}
	for _, st := range s.people().stats() {
		f.DeadLetters += st.DeadLetters
	}
	return f
}

// lag is what the services have yet to read, by what they have committed; -1 if that is not known of one of them.
func (s drillShop) lag() (all int64) {
	groups := s.watcher.State().Groups
	for _, name := range serviceNames()[1:] { // payment reads nothing
		i := slices.IndexFunc(groups, func(g watch.Group) bool { return g.Name == name })
		if i < 0 || groups[i].TotalLag() < 0 {
			return -1
		}
		all += groups[i].TotalLag()
	}
	return all
}

// Services implements runner.Shop.
func (s drillShop) Services() []string { return serviceNames() }

// Service implements runner.Shop.
func (s drillShop) Service(name string) runner.Service {
	if c := s.people().Control(name); c != nil {
		return drillService{c}
	}
	return nil
}

// drillService is a service as a drill sees it.
type drillService struct{ services.Control }

// State implements runner.Service.
func (s drillService) State() runner.ServiceState {
	st := s.Stats()
	out := runner.ServiceState{Restarts: st.Restarts, Stopped: st.Status == services.Stopped}
	// One that is retrying may have recovered long ago: without an event it does not know. Whether events get through is asked apart.
	runs := st.Status == services.Running || st.Status == services.Retrying && (st.Partitions > 0 || st.Name == "payment")
	out.Running = runs && st.Live >= st.Instances
	if out.Why = st.Status.String(); st.Err != "" {
		out.Why += ", " + st.Err
	}
	return out
}

// Poison implements runner.Shop.
func (s drillShop) Poison(ctx context.Context, name string, pick uint64) (string, error) {
	kinds := poisons(name)
	if len(kinds) == 0 {
		return name, fmt.Errorf("there is no poison %q", name)
	}
	k := kinds[pick%uint64(len(kinds))]
	_, err := poison.Write(ctx, s.client, k)
	return k.Topic + ": " + k.Name, err
}

// poisons are the kinds of this name, one a topic, or all for random. Only those that end in the dead letters: what is carried would be an order that
// nobody placed.
func poisons(name string) []poison.Kind {
	return slices.DeleteFunc(poison.Small(), func(k poison.Kind) bool { return k.Reason == "" || name != "random" && k.Name != name })
}

// checkPoison refuses a scenario with a poison that there is not.
func checkPoison(s *scenario.Scenario) error {
	for _, st := range s.Steps {
		if st.Act.Verb == scenario.Poison && len(poisons(st.Act.What)) == 0 {
			var names []string
			for _, k := range poisons("random") {
				if !slices.Contains(names, k.Name) {
					names = append(names, k.Name)
				}
			}
			return &scenario.Error{Line: st.Line, Reason: fmt.Sprintf("there is no poison %q: there are random, %s", st.Act.What, strings.Join(names, ", "))}
		}
	}
	return nil
}

// largeFrom is what a record must weigh to be written as one that is oversize, in bytes: more than the services read.
const largeFrom = 768 << 10

// Oversize implements runner.Shop.
func (s drillShop) Oversize(ctx context.Context, topic string) (n int, err error) {
	for _, k := range poison.Kinds() {
		size := len(k.Record.Key) + len(k.Record.Value)
		for _, h := range k.Record.Headers {
			size += len(h.Key) + len(h.Value)
		}
		if k.Topic != topic || k.Reason == "" || size < largeFrom {
			continue
		}
		if _, err := poison.Write(ctx, s.client, k); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// DeleteTopic implements runner.Shop.
func (s drillShop) DeleteTopic(ctx context.Context, topic string) error {
	return s.admin(func(adm *kadm.Client) error {
		answer, err := adm.DeleteTopic(ctx, topic)
		if err == nil {
			err = answer.Err
		}
		return err
	})
}

// CreateTopics implements runner.Shop.
func (s drillShop) CreateTopics(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, topicsWithin)
	defer cancel()
	return s.admin(func(adm *kadm.Client) error { return services.EnsureTopics(ctx, adm, s.cfg.Topics) })
}

func (s drillShop) admin(do func(*kadm.Client) error) error {
	cl, err := kgo.NewClient(s.client...)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	defer cl.Close()
	return do(kadm.NewClient(cl))
}

// drillAuditor is the auditor as a drill sees it.
type drillAuditor struct{ *shop }

// Audit implements runner.Auditor.
func (a drillAuditor) Audit(ctx context.Context, say func(string)) (runner.Audit, error) {
	rep, err := a.audit(ctx, func(p ledger.Progress) {
		what := "reading"
		if p.Judging {
			what = "judging"
		}
		say(fmt.Sprintf("%s, %s of %s", what, thousands(p.Done), thousands(p.Total)))
	})
	if err != nil {
		return runner.Audit{}, err
	}
	out := runner.Audit{Counts: countsOf(rep), Findings: findingsOf(rep), More: rep.More}
	if v, why := verdictOf(rep); v == drill.NoVerdict {
		out.Doubt = why
	}
	return out, nil
}

var (
	_ runner.Auditor = drillAuditor{}
	_ runner.Cluster = drillCluster{}
	_ runner.Shop    = drillShop{}
)
