package tail

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/kafkaops"
)

// BenchmarkFlood reads six topics to which so many records a second are written altogether. Brokers and producers are a process of their own, so %core is what
// reading takes. records/s is what was counted, behind the number of records not read yet at the end, heap-MB the largest heap, live-MB what is left of it
// after a collection.
//
//	go test -run '^$' -bench Flood -benchtime 1x ./kafkaops/tail
func BenchmarkFlood(b *testing.B) {
	for _, rate := range []int{0, 10_000, 100_000} {
		b.Run(fmt.Sprintf("%d a second", rate), func(b *testing.B) {
			for b.Loop() {
				readFlood(b, rate)
			}
		})
	}
}

const (
	floodFor   = 5 * time.Second
	floodValue = 250 // bytes
	floodEnv   = "KASSA_TEST_FLOOD"
)

var floodTopics = []string{"a", "b", "c", "d", "e", "f"}

func readFlood(b *testing.B, rate int) {
	// As cmd/kassa does.
	procs, gc := runtime.GOMAXPROCS(1), debug.SetGCPercent(400)
	defer func() { runtime.GOMAXPROCS(procs); debug.SetGCPercent(gc) }()

	server := exec.Command(os.Args[0], "-test.run", "^TestFloodServer$", "-test.v")
	server.Env = append(os.Environ(), fmt.Sprintf("%s=%d", floodEnv, rate))
	server.Stderr = os.Stderr
	stop, err := server.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := server.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		_ = stop.Close()
		_ = server.Wait()
	}()
	var addrs []string
	lines := bufio.NewScanner(out)
	for addrs == nil && lines.Scan() {
		if list, ok := strings.CutPrefix(lines.Text(), "brokers "); ok {
			addrs = strings.Split(list, ",")
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()

	tl, err := Start(Config{Client: kafkaops.ClientOptions(addrs), Topics: floodTopics, Every: 100 * time.Millisecond})
	if err != nil {
		b.Fatal(err)
	}
	defer tl.Close()
	var last Batch
	var most uint64
	read := func(d time.Duration) (records int64, shown int) {
		before := total(last)
		end := time.After(d)
		for {
			select {
			case last = <-tl.Batches():
				shown += len(last.Records)
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
			case <-end:
				return total(last) - before, shown
			}
		}
	}
	read(2 * time.Second) // the flood begins
	used, begun := processorTime(b), time.Now()
	records, shown := read(floodFor)
	took := time.Since(begun).Seconds()
	b.ReportMetric(100*(processorTime(b)-used).Seconds()/took, "%core")
	b.ReportMetric(float64(records)/took, "records/s")
	b.ReportMetric(float64(shown)/took, "shown/s")
	behind := int64(0)
	for _, c := range last.Topics {
		behind += c.Behind
	}
	b.ReportMetric(float64(behind), "behind")
	b.ReportMetric(float64(most)/1e6, "heap-MB")
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapAlloc)/1e6, "live-MB")
}

func total(b Batch) (n int64) {
	for _, c := range b.Topics {
		n += c.Read
	}
	return n
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestFloodServer is the other process of BenchmarkFlood: brokers, and what writes to them until standard input ends.
func TestFloodServer(t *testing.T) {
	rate, err := strconv.Atoi(os.Getenv(floodEnv))
	if err != nil {
		t.Skip("BenchmarkFlood runs this as its other process: by itself it tests nothing")
	}
	c, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(3, floodTopics...))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cl, err := kgo.NewClient(
		kgo.SeedBrokers(c.ListenAddrs()...), kgo.ProducerLinger(10*time.Millisecond), kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite(),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.MaxBufferedRecords(200_000),
	)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	fmt.Println("brokers " + strings.Join(c.ListenAddrs(), ","))

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	value := bytes.Repeat([]byte("x"), floodValue)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	written := 0
	for begun := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for due := int(now.Sub(begun).Seconds() * float64(rate)); written < due; written++ {
				cl.Produce(ctx, &kgo.Record{Topic: floodTopics[written%len(floodTopics)], Key: strconv.AppendInt(nil, int64(written), 10), Value: value}, nil)
			}
		}
	}
}
