package tui

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/HdrHistogram/hdrhistogram-go"

	"kassa/kafkaops"
	"kassa/kafkaops/tail"
	"kassa/kafkaops/watch"
	"kassa/services"
	"kassa/services/events"
)

// These run the screen as a program on a terminal in memory: keys come in as bytes, and what is counted is what was written to the terminal.
//
//	go test -run '^$' -bench 'Flood|Rest' -benchtime 1x ./tui
//
// keys-p50-ms and keys-p99-ms are from the byte of a key until the frame with its result was written; B/frame is what a frame wrote; %core is the share
// of a core that the whole process took, what feeds it too; heap-MB is the largest live heap after a collection.

// floodFor is how long each is measured.
const floodFor = 5 * time.Second

// screenTerminal is a terminal in memory that counts, and tells when it was sent something.
type screenTerminal struct {
	mu     sync.Mutex
	frames int64
	bytes  int64
	most   int
	needle []byte
	seen   chan time.Time
}

func (t *screenTerminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.frames++
	t.bytes += int64(len(p))
	t.most = max(t.most, len(p))
	if t.needle != nil && bytes.Contains(p, t.needle) {
		t.needle = nil
		t.seen <- time.Now()
	}
	return len(p), nil
}

// expect has the terminal tell when this is written.
func (t *screenTerminal) expect(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.needle, t.seen = []byte(text), make(chan time.Time, 1)
}

// counts gives what was written since the last call.
func (t *screenTerminal) counts() (frames, bytes int64, most int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	frames, bytes, most = t.frames, t.bytes, t.most
	t.frames, t.bytes, t.most = 0, 0, 0
	return frames, bytes, most
}

// busyShop is a shop whose figures grow.
type busyShop struct {
	*stage
	rate  float64
	begun time.Time
}

func (b busyShop) Figures() Figures {
	n := int64(time.Since(b.begun).Seconds() * b.rate)
	return Figures{
		Accepted: n, Complete: n, Revenue: n * 694970, AckP50: 4 * ms, AckP99: 12 * ms, FlowP50: 87 * ms, FlowP99: 136 * ms,
		Services: []services.Stats{
			{Name: "order", Status: services.Running, Handled: n}, {Name: "email", Status: services.Running, Handled: n}, {Name: "analytics", Status: services.Running, Handled: 3 * n},
		},
	}
}

// flooded is a program on such a terminal, with records coming in.
type flooded struct {
	b    *testing.B
	term *screenTerminal
	keys io.Writer
}

// flood runs the screen at a size while so many records a second come over six topics, as kafkaops/tail hands them on: at most 200 of each topic
// ten times a second, the others as counts. Three are the flow's, three are read for panes of their own; all six are on the screen, and so are the charts
// where there is room for them.
func flood(b *testing.B, w, h, rate, size int) *flooded {
	b.Helper()
	procs, gc := runtime.GOMAXPROCS(1), debug.SetGCPercent(400) // as cmd/kassa does
	b.Cleanup(func() { runtime.GOMAXPROCS(procs); debug.SetGCPercent(gc) })

	ctx, cancel := context.WithCancel(context.Background())
	batches, states := make(chan tail.Batch, 1), make(chan *watch.State, 1)
	stage := &stage{t: b, clock: time.Now()}
	backend := &Backend{
		Info: kafkaops.Info{Provider: "local", Version: "4.3.1", Profile: "fast-failover"}, Delivery: "exactly-once",
		Do: func(context.Context, kafkaops.Fault) error { return nil }, States: states, Batches: batches,
		Shop: busyShop{stage, float64(rate) / 3, time.Now()}, Load: customers{stage},
		Log: floodLog{ctx: ctx, rate: rate / 6, size: size},
	}
	model := New(ctx, Config{
		Catalogue: events.DefaultCart(), CartLimit: 100, LoadRate: 50,
		Start: func(context.Context, func(kafkaops.Progress)) (*Backend, error) { return backend, nil },
	})
	term := &screenTerminal{}
	in, keys := io.Pipe()
	program := tea.NewProgram(
		model, tea.WithInput(in), tea.WithOutput(term), tea.WithWindowSize(w, h), tea.WithFPS(FramesPerSecond), tea.WithoutSignalHandler(),
		tea.WithEnvironment([]string{"TERM=xterm-256color", "COLORTERM=truecolor", "TTY_FORCE=1"}),
	)
	var run, done sync.WaitGroup
	run.Go(func() {
		if _, err := program.Run(); err != nil {
			b.Error(err)
		}
	})
	done.Go(func() { feedStates(ctx, stage, states) })
	if rate > 0 {
		done.Go(func() { feedRecords(ctx, batches, events.Topics(), rate/2, size) })
	}
	b.Cleanup(func() {
		program.Quit()
		run.Wait()
		cancel()
		_ = in.Close()
		done.Wait()
	})
	f := &flooded{b: b, term: term, keys: keys}
	f.press("M", "mouse") // the screen is up
	if rate > 0 {
		for _, topic := range []string{"stock", "clicks", "audit"} {
			f.press(":topic "+topic+"\r", "O")
		}
	}
	return f
}

// floodLog has topics that are flooded for whoever opens one.
type floodLog struct {
	Log
	ctx        context.Context
	rate, size int
}

func (l floodLog) Topics(context.Context) ([]tail.Topic, error) { return nil, nil }

func (l floodLog) Open(topic string, _ tail.From) (Tail, error) {
	out := make(floodTail, 1)
	go feedRecords(l.ctx, out, []string{topic}, l.rate, l.size)
	return out, nil
}

type floodTail chan tail.Batch

func (t floodTail) Batches() <-chan tail.Batch { return t }
func (t floodTail) More()                      {}
func (t floodTail) Close()                     {}

// feedStates gives a picture of the cluster as often as the watcher does.
func feedStates(ctx context.Context, s *stage, out chan<- *watch.State) {
	tick := time.NewTicker(200 * ms)
	defer tick.Stop()
	for n := int64(0); ; n++ {
		s.clock = time.Now()
		st := s.cluster()
		st.Quorum.HighWatermark += n
		select {
		case out <- st:
		case <-ctx.Done():
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func feedRecords(ctx context.Context, out chan<- tail.Batch, topics []string, rate, size int) {
	const every, most = 100 * ms, 200
	counts := map[string]tail.Count{}
	offset := int64(0)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		b := tail.Batch{At: time.Now(), Topics: map[string]tail.Count{}}
		come := int64(float64(rate) * every.Seconds() / float64(len(topics)))
		for _, topic := range topics {
			c := counts[topic]
			shown := min(come, most)
			c.Read, c.Skipped, c.Bytes = c.Read+come, c.Skipped+come-shown, c.Bytes+come*int64(size)
			counts[topic], b.Topics[topic] = c, c
			for range shown {
				offset++
				value := fmt.Appendf(make([]byte, 0, size), `{"userId":"user-%d","cart":[],"checkoutId":"%08x-1111-5222-8333-444455556666","amount":6949.7,"note":"`, offset, offset*7919)
				value = append(append(value, bytes.Repeat([]byte("x"), max(size-len(value)-2, 0))...), `"}`...)
				b.Records = append(b.Records, tail.Record{
					Topic: topic, Partition: int32(offset % 3), Offset: offset, Time: b.At, Size: len(value), Value: value,
					Key: fmt.Appendf(nil, "%08x-1111-5222-8333-444455556666", offset*7919), Headers: []tail.Header{{Key: "ce_type", Value: []byte(topic)}},
				})
			}
		}
		select {
		case out <- b:
		case <-ctx.Done():
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// press sends a key and gives the time until the frame that shows what it did.
func (f *flooded) press(key, shows string) time.Duration {
	f.b.Helper()
	f.term.expect(shows)
	begun := time.Now()
	if _, err := io.WriteString(f.keys, key); err != nil {
		f.b.Fatal(err)
	}
	select {
	case at := <-f.term.seen:
		return at.Sub(begun)
	case <-time.After(10 * time.Second):
		f.b.Fatalf("%q was not answered with %q", key, shows)
		return 0
	}
}

// settle waits until the panes have filled.
func (f *flooded) settle() {
	hold(f.b, 2*time.Second)
	f.term.counts()
}

func hold(b *testing.B, d time.Duration) {
	select {
	case <-time.After(d):
	case <-b.Context().Done():
	}
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// cost reports what the program takes while nobody touches it.
func (f *flooded) cost() {
	f.settle()
	used, begun := processorTime(f.b), time.Now()
	hold(f.b, floodFor)
	f.b.ReportMetric(100*float64(processorTime(f.b)-used)/float64(time.Since(begun)), "%core")
	frames, written, most := f.term.counts()
	f.b.ReportMetric(float64(written)/float64(max(frames, 1)), "B/frame")
	f.b.ReportMetric(float64(most), "most-B/frame")
	f.b.ReportMetric(float64(frames)/time.Since(begun).Seconds(), "frames/s")
	f.memory()
}

func (f *flooded) memory() {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	f.b.ReportMetric(float64(m.HeapAlloc)/1e6, "heap-MB")
}

// answers reports how long keys wait for the frame that shows what they did: zooming, which lays all panes out anew, and pausing.
func (f *flooded) answers() {
	f.settle()
	times := hdrhistogram.New(1, time.Minute.Microseconds(), 3)
	key := func(key, shows string) {
		// At any moment between two frames.
		hold(f.b, time.Duration(rand.IntN(int(time.Second/FramesPerSecond))))
		_ = times.RecordValue(f.press(key, shows).Microseconds())
	}
	for begun := time.Now(); time.Since(begun) < floodFor; {
		key("2", "enter") // a key of the tails, in the line of keys
		key(" ", "PAUSED")
		key("z", "zoom")
		key("f", "space")
		key("z", "checkout")
		key("5", "kill")
	}
	f.b.ReportMetric(float64(times.TotalCount()), "keys")
	f.b.ReportMetric(float64(times.ValueAtQuantile(50))/1000, "keys-p50-ms")
	f.b.ReportMetric(float64(times.ValueAtQuantile(99))/1000, "keys-p99-ms")
	f.b.ReportMetric(float64(times.Max())/1000, "keys-max-ms")
	f.memory()
}

func BenchmarkFlood(b *testing.B) {
	for _, size := range [][2]int{{120, 40}, {200, 60}} {
		for _, rate := range []int{10_000, 100_000} {
			name := fmt.Sprintf("%dx%d at %d a second", size[0], size[1], rate)
			b.Run(strings.ReplaceAll(name, " ", "-")+"/cost", func(b *testing.B) {
				for b.Loop() {
					flood(b, size[0], size[1], rate, 430).cost()
				}
			})
			b.Run(strings.ReplaceAll(name, " ", "-")+"/keys", func(b *testing.B) {
				for b.Loop() {
					flood(b, size[0], size[1], rate, 430).answers()
				}
			})
		}
	}
	b.Run("large-values/cost", func(b *testing.B) { // 64 KB each: only the rings bound them
		for b.Loop() {
			flood(b, 120, 40, 12_000, tail.MaxValue).cost()
		}
	})
}

// BenchmarkRest is the screen while nothing happens but time.
func BenchmarkRest(b *testing.B) {
	for b.Loop() {
		flood(b, 120, 40, 0, 0).cost()
	}
}
