package drill

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kassa/kafkaops"
	"kassa/kafkaops/watch"
)

// cluster is brokers whose faults the test carries out.
type cluster struct {
	seeds []string
	nodes []kafkaops.Node
	do    func(context.Context, kafkaops.Fault) error
}

func (c *cluster) Info() kafkaops.Info                            { return kafkaops.Info{} }
func (c *cluster) Bootstrap() []string                            { return c.seeds }
func (c *cluster) Nodes() []kafkaops.Node                         { return c.nodes }
func (c *cluster) Do(ctx context.Context, f kafkaops.Fault) error { return c.do(ctx, f) }
func (c *cluster) Close() error                                   { return nil }

// recording is a recorder of a cluster that kfake plays. Without probes it measures no gaps.
func recording(t *testing.T, probes bool, do func(context.Context, kafkaops.Fault) error, change ...func(*cluster)) (*Recorder, *kfake.Cluster) {
	t.Helper()
	fake, err := kfake.NewCluster(kfake.NumBrokers(3))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	c := &cluster{seeds: fake.ListenAddrs(), do: do}
	for i, addr := range c.seeds {
		c.nodes = append(c.nodes, kafkaops.Node{ID: int32(i), Addr: addr})
	}
	for _, f := range change {
		f(c)
	}
	w := watch.Start(c, watch.Config{})
	t.Cleanup(w.Close)
	cfg := Config{Cluster: c, Watcher: w}
	if probes {
		cfg.Producer = kafkaops.ClientOptions(c.seeds)
	}
	r, err := NewRecorder(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r, fake
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain until " + what)
		}
	}
}

func TestAStopThatHangsKeepsNobodyFromKilling(t *testing.T) {
	hangs := make(chan struct{})
	r, _ := recording(t, false, func(_ context.Context, f kafkaops.Fault) error {
		if f.Verb == kafkaops.Stop {
			<-hangs
			return errors.New("it has not ended")
		}
		return nil
	})
	stopped := make(chan error)
	go func() { stopped <- r.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Stop, Node: 1}) }()
	until(t, "the stop is under way", func() bool { return len(r.Timelines()) == 1 })
	if err := r.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Kill, Node: 2}); err != nil {
		t.Fatal(err)
	}
	lines := r.Timelines()
	if len(lines) != 2 || lines[0].Open || lines[0].Took != 0 || !lines[1].Open || lines[1].Took == 0 {
		t.Errorf("while the stop hangs: %+v", lines)
	}
	close(hangs)
	if err := <-stopped; err == nil {
		t.Error("the stop did not fail")
	}
	lines = r.Timelines()
	if lines[0].Err != "it has not ended" || lines[0].Took <= lines[1].Took || lines[1].Err != "" {
		t.Errorf("each act is to have its own end: %+v", lines)
	}
}

func TestAfterAFaultThatWasRefusedTheOneBeforeGoesOn(t *testing.T) {
	r, _ := recording(t, false, func(_ context.Context, f kafkaops.Fault) error {
		if f.Verb == kafkaops.Pause {
			return &kafkaops.RefusedError{Fault: f, Reason: "it is already down"}
		}
		return nil
	})
	do := func(v kafkaops.Verb, node int32) { _ = r.Do(t.Context(), kafkaops.Fault{Verb: v, Node: node}) }
	do(kafkaops.Kill, 1)
	do(kafkaops.Pause, 1)
	do(kafkaops.Pause, 1)
	lines := r.Timelines()
	if len(lines) != 1 || !lines[0].Open || lines[0].Fault.Verb != kafkaops.Kill {
		t.Fatalf("after a refusal: %+v", lines)
	}
	do(kafkaops.Kill, 2)
	r.mu.Lock()
	r.end(r.lines[1], time.Now())
	r.mu.Unlock()
	do(kafkaops.Pause, 1)
	if lines = r.Timelines(); len(lines) != 2 || lines[0].Open || lines[1].Open {
		t.Errorf("one that had ended by itself was opened again: %+v", lines)
	}
}

func TestOneProbeWritesHoweverOftenItIsAskedFor(t *testing.T) {
	r, fake := recording(t, true, nil)
	var asked atomic.Int32
	fake.ControlKey(int16(kmsg.CreateTopics), func(kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		asked.Add(1)
		return nil, nil, false
	})
	for range 20 {
		r.Arm()
	}
	if !r.Measuring() {
		t.Error("a probe is on its way, and the recorder denies it")
	}
	until(t, "the probe writes", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.probe != nil && r.probe.Ready(time.Now())
	})
	if n := asked.Load(); n != 1 {
		t.Errorf("%d probes made themselves a topic", n)
	}
}

// A fault waits for the probe, so that its gap is seen whole; but not while a broker is away, when it might wait for as long as that is.
func TestWhileABrokerIsAwayAFaultWaitsForNoProbe(t *testing.T) {
	for _, away := range []kafkaops.Process{kafkaops.ProcessRunning, kafkaops.ProcessPaused} {
		r, fake := recording(t, true, func(context.Context, kafkaops.Fault) error { return nil }, func(c *cluster) { c.nodes[2].Process = away })
		fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1})
		r.Arm()
		until(t, "a probe writes", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.probe != nil })
		begun := time.Now()
		if err := r.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Kill, Node: 1}); err != nil {
			t.Fatal(err)
		}
		switch took := time.Since(begun); {
		case away == kafkaops.ProcessRunning && took < armPatience:
			t.Errorf("a fault waited %s for acks", took)
		case away == kafkaops.ProcessPaused && took > armPatience/2:
			t.Errorf("with a broker away it waited %s", took)
		}
		if line := r.Timelines()[0]; line.Probed {
			t.Errorf("no partition took a write, and its gap counts: %+v", line)
		}
	}
}

// Writes that are stalled when the next act comes are measured until they go on, as the gap of the act that they stopped with.
func TestAGapThatOutlastsItsActIsMeasuredToItsEnd(t *testing.T) {
	r, fake := recording(t, true, func(context.Context, kafkaops.Fault) error { return nil }, func(c *cluster) { c.nodes[2].Process = kafkaops.ProcessExited })
	r.Arm()
	probe := func() *Probe { r.mu.Lock(); defer r.mu.Unlock(); return r.probe }
	until(t, "the probe writes", func() bool { p := probe(); return p != nil && p.Ready(time.Now()) })
	do := func(v kafkaops.Verb, node int32) {
		t.Helper()
		if err := r.Do(t.Context(), kafkaops.Fault{Verb: v, Node: node}); err != nil {
			t.Fatal(err)
		}
	}
	do(kafkaops.Kill, 1)
	stall := fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1})
	until(t, "writes are stalled", func() bool { return r.Timelines()[0].Gap.Open })
	do(kafkaops.Kill, 2)
	if lines := r.Timelines(); !lines[0].Outlasts || !lines[0].AtLeast() || lines[1].Probed || !lines[1].Stalled {
		t.Fatalf("while writes are stalled: %+v", lines)
	}
	short := r.Timelines()[0].Gap.Worst
	until(t, "it grows", func() bool { return r.Timelines()[0].Gap.Worst > short+200*time.Millisecond })
	do(kafkaops.Start, 2)
	started := time.Now()
	stall.Remove()
	until(t, "writes go on", func() bool { return !r.Timelines()[0].Outlasts })
	lines := r.Timelines()
	if first := lines[0]; first.AtLeast() || first.Gap.Open || first.Gap.Worst <= short || first.Gap.Resumed.Before(started) || !first.has(AcksResumed) {
		t.Errorf("the first, whose gap it is: %+v", first)
	}
	if lines[1].has(AcksResumed) || !lines[2].Stalled || !lines[2].has(AcksResumed) {
		t.Errorf("those that came meanwhile: %+v", lines[1:])
	}
}

func TestNothingBeginsAfterClose(t *testing.T) {
	r, fake := recording(t, true, func(context.Context, kafkaops.Fault) error { t.Error("a fault was done"); return nil })
	never, asked := make(chan struct{}), make(chan struct{}, 10)
	fake.ControlKey(int16(kmsg.CreateTopics), func(kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		asked <- struct{}{}
		fake.SleepControl(func() { <-never })
		return nil, nil, false
	})
	t.Cleanup(func() { close(never) })
	r.Arm()
	<-asked
	began := time.Now()
	r.Close()
	if took := time.Since(began); took > armPatience/2 {
		t.Errorf("it waited %v for a cluster that does not answer", took)
	}
	r.Arm()
	if r.Measuring() || len(asked) > 0 {
		t.Error("a probe begins after Close")
	}
	var refused *kafkaops.RefusedError
	if err := r.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Kill, Node: 1}); !errors.As(err, &refused) {
		t.Errorf("a fault after Close: %v", err)
	}
}

// Where nothing takes its records the probe fills up, and says so.
func TestAProbeThatIsFullSaysSo(t *testing.T) {
	p, err := StartProbe(ProbeConfig{Client: []kgo.Opt{kgo.SeedBrokers("127.0.0.1:1")}, Topic: ProbeTopic, Buffer: 20})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if p.Full() {
		t.Error("full at once")
	}
	until(t, "the probe is full", p.Full)
}
