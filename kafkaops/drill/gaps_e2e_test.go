//go:build e2e

package drill

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"kassa/kafkaops"
	"kassa/kafkaops/local"
	"kassa/kafkaops/watch"
)

// bench is three brokers, a watcher, a recorder, and a bare producer that shares no code with them.
type bench struct {
	*testing.B
	cluster  *local.Cluster
	watcher  *watch.Watcher
	recorder *Recorder
	bare     *bareProbe
	taken    map[string][]measure
}

// measure is one fault as kassa and as the bare producer saw it.
type measure struct{ worst, all, bare time.Duration }

const (
	shopTopic = "orders"
	bareTopic = "bare"
)

func newBench(b *testing.B, profile string) *bench {
	p, err := kafkaops.ProfileByName(profile)
	if err != nil {
		b.Fatal(err)
	}
	for _, set := range strings.Split(os.Getenv("KASSA_SET"), ",") { // later settings win
		if key, value, ok := strings.Cut(set, "="); ok {
			p.Settings = append(p.Settings, kafkaops.Setting{Key: key, Value: value})
		}
	}
	cluster, err := local.Start(b.Context(), local.Config{TempDir: b.TempDir(), Profile: p}, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cluster.Close() })
	client := kafkaops.ClientOptions(cluster.Bootstrap())
	cl, err := kgo.NewClient(client...)
	if err != nil {
		b.Fatal(err)
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	two := kadm.StringPtr("2")
	for _, topic := range []string{shopTopic, bareTopic} {
		if _, err := admin.CreateTopic(b.Context(), 6, 3, map[string]*string{"min.insync.replicas": two}, topic); err != nil {
			b.Fatal(err)
		}
	}
	s := &bench{B: b, cluster: cluster, taken: map[string][]measure{}}
	s.watcher = watch.Start(cluster, watch.Config{Topics: []string{shopTopic, ProbeTopic}})
	b.Cleanup(s.watcher.Close)
	// As payment writes: one request in flight (and with it no hint at the new leader in answers, KIP-951).
	capped := kversion.Stable()
	capped.SetMaxKeyVersion(int16(kmsg.Produce), 3)
	producer := append(slices.Clone(client), kgo.MaxVersions(capped))
	if s.recorder, err = NewRecorder(Config{Cluster: cluster, Watcher: s.watcher, Producer: producer}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.recorder.Close)
	s.recorder.Arm()
	s.bare = newBareProbe(b, producer)
	s.until("the cluster is whole and both probes write", func() bool {
		return whole(s.watcher.State()) && astray(s.watcher.State()) == 0 && s.bare.ready()
	})
	warm := time.Now()
	s.until("the brokers are warm", func() bool { s.recorder.Arm(); return time.Since(warm) > 8*time.Second })
	return s
}

func (s *bench) until(what string, ok func() bool) {
	s.Helper()
	for deadline := time.Now().Add(90 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.Fatalf("still not so: %s: %+v", what, s.watcher.State().Nodes)
		}
	}
}

// do does a fault, waits for its end, and files what it cost under kind.
func (s *bench) do(kind string, f kafkaops.Fault) {
	s.Helper()
	f, err := s.watcher.State().Resolve(f)
	if err != nil {
		s.Fatal(err)
	}
	if err := s.recorder.Do(context.Background(), f); err != nil {
		s.Fatal(err)
	}
	s.over(kind, 1)
}

// over waits until writes go on and nothing more happens, and files the last n timelines.
func (s *bench) over(kind string, n int) {
	s.Helper()
	quiet := time.Now()
	s.until("writes go on after "+kind, func() bool {
		lines := s.recorder.Timelines()
		if lines[len(lines)-1].Gap.Open || !s.bare.ready() {
			quiet = time.Now()
		}
		return time.Since(quiet) > 1200*time.Millisecond && time.Since(lines[len(lines)-1].At) > 3*time.Second
	})
	lines := s.recorder.Timelines()
	for i, t := range lines[len(lines)-n:] {
		end := time.Now()
		if next := len(lines) - n + i + 1; next < len(lines) {
			end = lines[next].At
		}
		m := measure{t.Gap.Worst, t.Gap.All, s.bare.gap(t.At, end)}
		s.taken[kind] = append(s.taken[kind], m)
		s.Logf("%-28s %-26s gap %4d ms (bare %4d) all %4d │ %s", kind, t.Fault, m.worst.Milliseconds(), m.bare.Milliseconds(), m.all.Milliseconds(), phases(t))
	}
}

func phases(t Timeline) string {
	var parts []string
	for _, p := range t.Phases {
		parts = append(parts, fmt.Sprintf("%s +%d", p.Mark, p.After.Milliseconds()))
	}
	return strings.Join(parts, ", ")
}

func (s *bench) whole() {
	s.Helper()
	s.until("the cluster is whole", func() bool { s.recorder.Arm(); return whole(s.watcher.State()) })
}

// elect has the preferred leaders come back. After a start they are young JVMs that have never taken a write, after a pause they are warm.
func (s *bench) elect(after string) {
	s.Helper()
	s.do("preferred leaders come back after "+after, kafkaops.Fault{Verb: kafkaops.Elect})
	s.until("all led by the preferred", func() bool { return whole(s.watcher.State()) && astray(s.watcher.State()) == 0 })
}

// follower is a broker that does not lead the quorum; n goes through them.
func (s *bench) follower(n int) kafkaops.Fault {
	q := s.watcher.State().Quorum.Leader
	id := int32(n%3) + 1
	if id == q {
		id = id%3 + 1
	}
	return kafkaops.Fault{Node: id}
}

func (s *bench) round(n int) {
	verb := func(f kafkaops.Fault, v kafkaops.Verb) kafkaops.Fault { f.Verb = v; return f }
	controller := kafkaops.Fault{Role: kafkaops.Controller}
	only := os.Getenv("KASSA_BENCH")
	does := func(part string) bool { return only == "" || strings.Contains(only, part) }
	back := func(v kafkaops.Verb) {
		lines := s.recorder.Timelines()
		s.do("broker returns ("+string(v)+")", kafkaops.Fault{Verb: v, Node: lines[len(lines)-1].Fault.Node})
		s.whole()
		s.elect(string(v))
	}
	if does("kill") {
		s.do("SIGKILL of a broker", verb(s.follower(n), kafkaops.Kill))
		back(kafkaops.Start)
		s.do("SIGKILL of the quorum leader", verb(controller, kafkaops.Kill))
		back(kafkaops.Start)
	}
	if does("stop") {
		s.do("controlled stop", verb(s.follower(n+1), kafkaops.Stop))
		back(kafkaops.Start)
		s.do("controlled stop of the quorum leader", verb(controller, kafkaops.Stop))
		back(kafkaops.Start)
	}
	if does("restart") {
		s.do("restart", verb(s.follower(n+2), kafkaops.Restart))
		s.whole()
		s.elect("start")
	}
	if does("rolling") {
		if err := s.recorder.Do(context.Background(), kafkaops.Fault{Verb: kafkaops.Rolling}); err != nil {
			s.Fatal(err)
		}
		s.over("rolling restart, each broker", 3)
		s.elect("start")
	}
	if does("pause") {
		s.do("pause of a leader", verb(s.follower(n), kafkaops.Pause))
		back(kafkaops.Resume)
		s.do("pause of the quorum leader", verb(controller, kafkaops.Pause))
		back(kafkaops.Resume)
	}
}

// BenchmarkWriteGap measures every kind of fault under both profiles, beside a bare producer in the same run:
//
//	go test -tags e2e -run '^$' -bench WriteGap -benchtime 10x -timeout 2h ./kafkaops/drill
//
// For whoever tunes one thing, KASSA_BENCH=pause does only that part of the round, and KASSA_SET=key=value,… changes broker settings.
func BenchmarkWriteGap(b *testing.B) {
	for _, profile := range []string{kafkaops.ProfileFastFailover, kafkaops.ProfileStock} {
		b.Run(profile, func(b *testing.B) {
			s := newBench(b, profile)
			n := 0
			for b.Loop() {
				s.round(n)
				n++
			}
			s.table(profile)
		})
	}
}

func (s *bench) table(profile string) {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\tn\tmedian\tworst\tbare median\tbare worst\tno partition, median\tworst over bare\t\n", profile)
	kinds := make([]string, 0, len(s.taken))
	for kind := range s.taken {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		all := s.taken[kind]
		column := func(of func(measure) time.Duration) (median, worst int64) {
			var d []time.Duration
			for _, m := range all {
				d = append(d, of(m))
			}
			slices.Sort(d)
			return d[len(d)/2].Milliseconds(), d[len(d)-1].Milliseconds()
		}
		median, worst := column(func(m measure) time.Duration { return m.worst })
		bare, bareWorst := column(func(m measure) time.Duration { return m.bare })
		none, _ := column(func(m measure) time.Duration { return m.all })
		_, over := column(func(m measure) time.Duration { return m.worst - m.bare })
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", kind, len(all), median, worst, bare, bareWorst, none, over)
	}
	w.Flush()
	s.Log("write gaps in ms\n" + out.String())
}

// bareProbe is a plain producer: one record every 2 ms over six partitions, acks=all, and the times of the acks. It writes as payment does, for what is compared is
// how a gap is measured, and not how clients differ: with kgo's own choice of the produce request's version, and so with five requests in flight and KIP-951's
// hints, preferred leaders that come back cost 155 ms instead of 104; and with its own choice of a compression, which a broker that has just started must
// load the library of, 241 instead of 173 ms.
type bareProbe struct {
	mu   sync.Mutex
	acks [6][]time.Time
}

func newBareProbe(b *testing.B, client []kgo.Opt) *bareProbe {
	cl, err := kgo.NewClient(append(slices.Clone(client),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.MaxBufferedRecords(200_000),
		kgo.DefaultProduceTopic(bareTopic))...)
	if err != nil {
		b.Fatal(err)
	}
	p := &bareProbe{}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for n := int32(0); ctx.Err() == nil; n++ {
			<-tick.C
			cl.TryProduce(ctx, &kgo.Record{Partition: n % 6, Value: []byte("bare")}, func(r *kgo.Record, err error) {
				if err == nil {
					p.mu.Lock()
					p.acks[r.Partition] = append(p.acks[r.Partition], time.Now())
					p.mu.Unlock()
				}
			})
		}
	})
	b.Cleanup(func() { cancel(); done.Wait(); cl.Close() })
	return p
}

func (p *bareProbe) ready() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.acks {
		if len(a) == 0 || time.Since(a[len(a)-1]) > 100*time.Millisecond {
			return false
		}
	}
	return true
}

// gap is the longest time between two acks of one partition that overlaps [from, to).
func (p *bareProbe) gap(from, to time.Time) (worst time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.acks {
		for i := 1; i < len(a); i++ {
			if a[i].After(from) && a[i-1].Before(to) {
				worst = max(worst, a[i].Sub(a[i-1]))
			}
		}
	}
	return worst
}
