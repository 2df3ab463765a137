//go:build e2e

package main

import (
	"context"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kassa/kafkaops"
	"kassa/kafkaops/embedded"
	"kassa/kafkaops/local"
	"kassa/kafkaops/watch"
	"kassa/services/events"
)

// Faults leave no JVM, no goroutine and no descriptor behind that was not there before: fifty of them with KASSA_E2E_FAULTS=50.
func TestE2EManyFaults(t *testing.T) {
	long(t)
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	tmp := t.TempDir()
	cluster, err := local.Start(t.Context(), local.Config{TempDir: tmp, Guard: []string{binary, local.GuardCommand}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	manyFaults(t, cluster)
	if pids := jvms(tmp); len(pids) != 3 {
		t.Errorf("%d brokers run", len(pids))
	}
}

// Simulated brokers leave nothing behind either, nor do their clients in this process.
func TestE2EManyFaultsOfSimulatedBrokers(t *testing.T) {
	long(t)
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	cluster, err := embedded.Start(t.Context(), embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	manyFaults(t, cluster)
}

func manyFaults(t *testing.T, cluster kafkaops.Cluster) {
	most := 30 // twice what is opened for good; a minute less than fifty
	if text := os.Getenv("KASSA_E2E_FAULTS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		most = n
	}
	s, err := openShop(t.Context(), cluster, slog.New(slog.DiscardHandler), shopConfig{Products: events.DefaultCart()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close(5 * time.Second)
	stop := make(chan struct{})
	defer close(stop)
	go func() { // the screen that would read them
		for {
			select {
			case <-s.watcher.States():
			case <-s.tailer.Batches():
			case <-stop:
				return
			}
		}
	}()
	whole := func(st *watch.State) bool {
		return st.Quorum.Known && st.Count(watch.Up) == 3 && st.UnderReplicated() == 0 && len(st.Partitions) > 0
	}
	wait := func(what string, ok func(*watch.State) bool) {
		t.Helper()
		for deadline := time.Now().Add(60 * time.Second); !ok(s.watcher.State()); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("still not so: %s: %+v", what, s.watcher.State().Nodes)
			}
		}
	}
	health := func(id int32, h watch.Health) func(*watch.State) bool {
		return func(st *watch.State) bool { n, _ := st.Node(id); return n.Health == h }
	}
	complete := func() { // an order goes through, so that every client is connected
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		before := s.Figures().Complete
		if _, err := s.Checkout(ctx, "ann", events.DefaultCart()); err != nil {
			t.Fatal(err)
		}
		wait("the order is complete", func(*watch.State) bool { return s.Figures().Complete > before })
	}
	faults := 0
	do := func(v kafkaops.Verb, id int32) {
		t.Helper()
		if err := s.recorder.Do(t.Context(), kafkaops.Fault{Verb: v, Node: id}); err != nil {
			t.Fatalf("fault %d: %v", faults, err)
		}
		faults++
	}
	round := func(id int32) {
		do(kafkaops.Kill, id)
		wait("it is down", health(id, watch.Down))
		do(kafkaops.Start, id)
		wait("all is whole after a start", whole)
		do(kafkaops.Pause, id)
		wait("it is paused", health(id, watch.Paused))
		do(kafkaops.Resume, id)
		wait("all is whole after a pause", whole)
		for try := 1; ; try++ { // a busy machine fences a healthy broker for a moment; a drill tries again too
			err := s.recorder.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Elect})
			if err == nil {
				break
			}
			if try == 5 {
				t.Fatalf("fault %d: %v", faults, err)
			}
			wait("all is whole again", whole)
		}
		faults++
	}
	// What the first faults open for good (the probe's connections, those to every coordinator) is no leak, so the count begins after them.
	quiet := func() (goroutines, descriptors int) {
		t.Helper()
		complete()
		wait("the probe has ended", func(*watch.State) bool { return !s.recorder.Measuring() })
		goroutines, descriptors = runtime.NumGoroutine(), openFiles(t)
		for still := time.Now(); time.Since(still) < 3*time.Second; time.Sleep(100 * time.Millisecond) {
			if g, d := runtime.NumGoroutine(), openFiles(t); g < goroutines || d < descriptors {
				goroutines, descriptors, still = min(g, goroutines), min(d, descriptors), time.Now()
			}
		}
		return goroutines, descriptors
	}
	wait("all is whole at the start", whole)
	for id := int32(1); id <= 3; id++ {
		round(id)
	}
	goroutines, descriptors := quiet()
	for faults < most {
		round(int32(faults/5%3) + 1)
	}
	g, d := quiet()
	t.Logf("%d faults: %d goroutines and %d descriptors after 15, %d and %d after all", faults, goroutines, descriptors, g, d)
	// A handful of connections come and go with who leads and coordinates; if each fault leaked one there would be more.
	const slack = 12
	if g > goroutines+slack || d > descriptors+slack {
		t.Errorf("goroutines %d → %d, descriptors %d → %d", goroutines, g, descriptors, d)
	}
	if got := s.Figures(); got.Complete != got.Accepted {
		t.Errorf("%d orders accepted, %d complete", got.Accepted, got.Complete)
	}
}

// openFiles is how many descriptors this process has open.
func openFiles(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("needs Linux's /proc: ", err)
	}
	return len(all)
}
