package ledger

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// most is how much heap an audit of any size may take, in bytes, with the default of Config.Memory.
const most = 200 << 20

// However many checkouts there are, memory is bounded and every planted fault among them is found. Ten million go through it with
//
//	KASSA_LEDGER_CHECKOUTS=10000000 go test -run Scale -v -timeout 30m ./services/ledger
//
// Promises pass a Book, and records are decoded from what the services write; only Kafka is left out.
func TestScale(t *testing.T) {
	n := 50_000
	if text := os.Getenv("KASSA_LEDGER_CHECKOUTS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	begun := time.Now()
	peak := watchHeap(t)
	book := NewBook(t.TempDir())
	defer book.Close()
	a := newAudit(Config{Book: book, TempDir: t.TempDir()})
	defer a.close()

	// One of each in 10,000: lost at each step, duplicated, repeated, changed, overtaken, and a payment that nobody asked for.
	const every = 10_000
	id := func(i int) string {
		var raw [16]byte
		binary.BigEndian.PutUint64(raw[:], uint64(i)*0x9e3779b97f4a7c15)
		binary.BigEndian.PutUint64(raw[8:], uint64(i))
		return uuidText(raw)
	}
	var offsets [flow][3]int64
	var value []byte
	write := func(s stage, i int, format string, args ...any) {
		p := int32(i % 3)
		value = fmt.Appendf(value[:0], format, args...)
		rec := &kgo.Record{Topic: topics[s], Partition: p, Offset: offsets[s][p], Value: value, Timestamp: begun.Add(time.Duration(i)*time.Millisecond + time.Duration(s)*time.Second)}
		offsets[s][p]++
		if err := a.see(rec); err != nil {
			t.Fatal(err)
		}
	}
	const block = 1000 // of checkouts that are on their way at once
	for from := 0; from < n; from += block {
		till := min(from+block, n)
		for i := from; i < till; i++ {
			if i%every != 8 {
				book.Ask(id(i), 694970)
				book.Answer(id(i), Accepted, 694970)
			}
			amount := "6949.7"
			switch i % every {
			case 1:
				continue
			case 2:
				amount = "6949.69"
			}
			write(payment, i, `{"userId":"user-17","cart":[{"id":1,"name":"T-Shirt","price":1999.9,"image":"/product1.png","description":"Plain cotton, soft and light"},`+
				`{"id":2,"name":"Nike Air Max","price":4449.9,"image":"/product2.png","description":"Running shoes with an air cushion"},`+
				`{"id":3,"name":"Cap","price":499.9,"image":"/product3.png","description":"Keeps the sun out of your eyes"}],"checkoutId":%q,"amount":%s}`, id(i), amount)
		}
		for i := from; i < till; i++ {
			switch i % every {
			case 1, 3:
				continue
			case 4:
				write(order, i, `{"userId":"user-17","orderId":"another","checkoutId":%q}`, id(i))
			case 7: // the next of its partition overtakes it
				continue
			case 10:
				write(order, i, `{"userId":"user-17","orderId":"o-%[1]s","checkoutId":"%[1]s"}`, id(i))
				write(order, i-3, `{"userId":"user-17","orderId":"o-%[1]s","checkoutId":"%[1]s"}`, id(i-3))
				continue
			}
			write(order, i, `{"userId":"user-17","orderId":"o-%[1]s","checkoutId":"%[1]s"}`, id(i))
		}
		for i := from; i < till; i++ {
			switch i % every {
			case 1, 3, 5:
				continue
			case 6:
				write(email, i, `{"userId":"user-17","emailId":"e-%[1]s","checkoutId":"%[1]s"}`, id(i))
			}
			write(email, i, `{"userId":"user-17","emailId":"e-%[1]s","checkoutId":"%[1]s"}`, id(i))
		}
	}
	written := time.Since(begun)

	j := &judge{order: a.join.order, findings: findings{most: defaultFindings}}
	for s := range flow {
		j.log.passed[s] = map[int32]int64{0: 1 << 62, 1: 1 << 62, 2: 1 << 62}
	}
	if err := a.promises(j, book.mark()); err != nil {
		t.Fatal(err)
	}
	if err := a.join.judge(j, func(int64, int64) error { return nil }); err != nil {
		t.Fatal(err)
	}
	k := int64(n / every)
	want := Counts{Accepted: int64(n) - k, Complete: int64(n) - 5*k, Lost: 3 * k, Duplicated: k, Repeated: k, ChangedAmount: k, OutOfOrder: k, WithoutCause: k}
	if j.counts != want {
		t.Errorf("counted %+v, want %+v", j.counts, want)
	}
	heap, rss := peak()
	t.Logf("%d checkouts in %v, of those %v until all was read; %d entries, %d buckets dealt out again, files of %d, %d and %d MB; peak heap %d MB, peak RSS %s",
		n, time.Since(begun).Round(time.Millisecond), written.Round(time.Millisecond), a.join.n, a.join.splits, book.spool.size>>20, a.join.size>>20, a.join.order.turns.spool.size>>20, heap>>20, rss)
	if heap > most {
		t.Errorf("the heap grew to %d MB, more than %d", heap>>20, most>>20)
	}
}

// watchHeap says later how large the heap was at most: objects, those that are dead and not swept yet included.
func watchHeap(t *testing.T) (peak func() (bytes uint64, rss string)) {
	var most uint64
	end := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			metrics.Read(sample)
			most = max(most, sample[0].Value.Uint64())
			select {
			case <-end:
				return
			case <-tick.C:
			}
		}
	})
	stop := sync.OnceFunc(func() { close(end); wg.Wait() })
	t.Cleanup(stop)
	return func() (uint64, string) {
		stop()
		status, _ := os.ReadFile("/proc/self/status") // not everywhere
		var kb int
		for line := range strings.SplitSeq(string(status), "\n") {
			if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kb); err == nil {
				return most, fmt.Sprintf("%d MB", kb>>10)
			}
		}
		return most, "not known"
	}
}
