package drill

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ProbeConfig says where and how a Probe writes.
type ProbeConfig struct {
	// Client is the producer as its users set it up: what they would feel is what is measured.
	Client []kgo.Opt
	Topic  string // made by EnsureProbeTopic
	Rate   int    // records a second over all partitions; 0 means 500
	Buffer int    // records that may wait for their acks; 0 means 100,000, which is 200 s in which no partition takes a write
	// Saw is called with what the client notices by itself: a connection that ended or could not be made, an answer that
	// did not come in time. Retries hide all of these from whoever waits for a record. It must not wait.
	Saw func(Sign)
}

// Sign is one thing that a client noticed of a broker.
type Sign struct {
	At   time.Time
	Node int32 // -1 while only its address is known
	Addr string
	What string
}

const (
	// ProbeTopic is where kassa's own probe writes.
	ProbeTopic      = "kassa-probe"
	probePartitions = 6 // two leaders a broker
	warmPartitions  = 3 // after these: one a broker, see warmer
	probeReplicas   = 3
	probeRate       = 500
	probeBuffer     = 100_000
	// Gaps shorter than this are not kept: at 500 records a second over six partitions acks are 12 ms apart.
	shortestGap = 25 * time.Millisecond
	gapsKept    = 1024 // per partition
)

// EnsureProbeTopic makes the probe's topic: six partitions on three brokers, and three more to warm brokers up; acks=all needs minISR of them, 2 where that
// is 0, and what is written is kept for a minute.
func EnsureProbeTopic(ctx context.Context, admin *kadm.Client, topic string, minISR int) error {
	configs := map[string]*string{
		"min.insync.replicas": new(strconv.Itoa(cmp.Or(minISR, 2))), "retention.ms": kadm.StringPtr("60000"), "segment.bytes": kadm.StringPtr("1048576"),
	}
	resp, err := admin.CreateTopic(ctx, probePartitions+warmPartitions, probeReplicas, configs, topic)
	if err == nil {
		err = resp.Err
	}
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("making the topic %s: %w", topic, err)
	}
	return nil
}

// Probe writes small records at a steady rate to every partition of a topic in turn, and remembers when none was acknowledged. It is
// open-loop: a record is due when it is due, however late the ones before are, so a stall is felt whole.
type Probe struct {
	client *kgo.Client
	cfg    ProbeConfig
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu    sync.Mutex
	parts []acks
	all   acks      // of any partition
	full  time.Time // when a record was dropped for the first time, because too many waited; zero if none was
}

// acks is when a partition's records were acknowledged: the last time, and the gaps before.
type acks struct {
	first, last time.Time
	gaps        []gap // oldest first
}

type gap struct{ from, to time.Time }

// Gap is how long writes were not acknowledged around a fault.
type Gap struct {
	Worst     time.Duration // the longest time between two acks of one partition
	Partition int32         // that partition
	All       time.Duration // the longest time in which no partition took a write
	Resumed   time.Time     // when the longest gap ended; zero while it lasts
	Open      bool          // some partition has not acknowledged anything for longer than usual: Worst still grows
}

// StartProbe begins to write. It does not wait for a broker.
func StartProbe(cfg ProbeConfig) (*Probe, error) {
	if cfg.Rate <= 0 {
		cfg.Rate = probeRate
	}
	if cfg.Buffer <= 0 {
		cfg.Buffer = probeBuffer
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &Probe{cfg: cfg, cancel: cancel, parts: make([]acks, probePartitions)}
	opts := append(probeOptions(cfg.Client, cfg.Topic), kgo.WithContext(ctx), kgo.ClientID("kassa-probe"), kgo.MaxBufferedRecords(cfg.Buffer))
	if cfg.Saw != nil {
		opts = append(opts, kgo.WithHooks(&signs{saw: cfg.Saw}))
	}
	var err error
	if p.client, err = kgo.NewClient(opts...); err != nil {
		cancel()
		return nil, fmt.Errorf("making the probe's client: %w", err)
	}
	p.done.Go(func() { p.run(ctx) })
	return p, nil
}

// probeOptions is how the probe writes, upon the options of its client: each record at once, to the partition that it names. With which acks is the
// client's to say (all is kgo's default): a gap is one that its users would feel.
func probeOptions(client []kgo.Opt, topic string) []kgo.Opt {
	return append(append([]kgo.Opt(nil), client...),
		kgo.DefaultProduceTopic(topic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(0),
		kgo.UnknownTopicRetries(-1),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.DisableClientMetrics(),
	)
}

// Close ends the probe without waiting for records that are on their way.
func (p *Probe) Close() {
	p.cancel()
	p.done.Wait()
	p.client.Close()
}

func (p *Probe) run(ctx context.Context) {
	every := time.Second / time.Duration(p.cfg.Rate)
	start := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for n := int64(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		for due := int64(time.Since(start)/every) + 1; n < due; n++ {
			part := int32(n % probePartitions)
			p.client.TryProduce(ctx, &kgo.Record{Partition: part, Value: []byte("probe")}, func(r *kgo.Record, err error) {
				switch {
				case err == nil:
					p.acked(r.Partition, time.Now())
				case errors.Is(err, kgo.ErrMaxBuffered):
					p.dropped(time.Now())
				}
			})
		}
		timer.Reset(time.Until(start.Add(time.Duration(n) * every)))
	}
}

func (p *Probe) acked(part int32, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.parts[part].add(at)
	p.all.add(at)
}

func (p *Probe) dropped(at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.full.IsZero() {
		p.full = at
	}
}

// Full says that the probe has written more than it can keep waiting. From then on it cannot tell: a partition may be silent because nothing is written
// to it any more.
func (p *Probe) Full() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.full.IsZero()
}

func (a *acks) add(at time.Time) {
	switch {
	case a.first.IsZero():
		a.first = at
	case at.Sub(a.last) >= shortestGap:
		if a.gaps = append(a.gaps, gap{a.last, at}); len(a.gaps) > gapsKept {
			a.gaps = a.gaps[1:]
		}
	}
	a.last = at
}

// Ready says that every partition has acknowledged something lately: a gap that begins now will be seen whole.
func (p *Probe) Ready(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.parts {
		if a.last.IsZero() || now.Sub(a.last) > 4*shortestGap {
			return false
		}
	}
	return true
}

// Gap is the longest gap that overlaps the time from a fault until to, or until the probe was full. One that had begun by then is told whole, as far as it has
// come. A partition that never acknowledged anything since the probe began counts from the fault.
func (p *Probe) Gap(fault, to time.Time) Gap {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.full.IsZero() && p.full.Before(to) {
		to = p.full
	}
	g := Gap{Partition: -1}
	for i := range p.parts {
		longest, open := p.parts[i].longest(fault, to)
		if d := longest.to.Sub(longest.from); d > g.Worst {
			g.Worst, g.Partition = d, int32(i)
			g.Resumed = longest.to
			if open {
				g.Resumed = time.Time{}
			}
		}
		g.Open = g.Open || p.parts[i].silent(to)
	}
	longest, _ := p.all.longest(fault, to)
	g.All = longest.to.Sub(longest.from)
	return g
}

// silent says that nothing was acknowledged for longer than usual.
func (a *acks) silent(now time.Time) bool { return now.Sub(a.last) > 4*shortestGap }

func (a *acks) longest(from, to time.Time) (longest gap, open bool) {
	last := a.last
	if last.Before(from) && a.first.IsZero() {
		last = from
	}
	if last.Before(to) {
		longest, open = gap{last, to}, true
	}
	for i := len(a.gaps) - 1; i >= 0; i-- {
		g := a.gaps[i]
		if g.to.Before(from) {
			break
		}
		if g.to.After(to) && to.Sub(g.from) <= 4*shortestGap {
			continue // nobody could tell by then: it is that of what comes next
		}
		if g.to.Sub(g.from) > longest.to.Sub(longest.from) {
			longest, open = g, false
		}
	}
	return longest, open
}
