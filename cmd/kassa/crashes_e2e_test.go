//go:build e2e

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"kassa/kafkaops/local"
	"kassa/kafkaops/watch"
	"kassa/services"
	"kassa/services/events"
	"kassa/services/ledger"
	"kassa/services/payment"
)

const (
	crashesEach = 10
	// takenOver is how soon a crashed service must have handled something again, brokers being killed meanwhile.
	takenOver = 10 * time.Second
	// groupRound is longer than a round of questions about the groups: what is seen later was asked later.
	groupRound = time.Second
)

// Every service is crashed ten times and every broker killed while orders come, under both deliveries: none is lost or
// duplicated, what is repeated is counted as it is, and each partition keeps its order. A plain reader judges that. The full figure takes
// KASSA_E2E_CHECKOUTS=20000, at 500 a second, with every broker killed twice.
func TestE2ECrashesLoseNothing(t *testing.T) {
	for _, delivery := range []services.Delivery{services.ExactlyOnce, services.AtLeastOnce} {
		t.Run(delivery.String(), func(t *testing.T) { crashEverything(t, delivery) })
	}
}

func crashEverything(t *testing.T, delivery services.Delivery) {
	rate, least, kills, full := 150, 3000, 1, false
	if text := os.Getenv("KASSA_E2E_CHECKOUTS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		rate, least, kills, full = 500, n, 2, true
	}
	cluster := guarded(t, local.Config{})
	started := goleak.IgnoreCurrent()
	shop, err := openShop(t.Context(), cluster, shopLog(t), shopConfig{Products: events.DefaultCart(), Delivery: delivery})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		shop.close(5 * time.Second)
		goleak.VerifyNone(t, started)
	}()
	until(t, "the services have their partitions", func() bool {
		return !slices.ContainsFunc(shop.staff.stats(), func(s services.Stats) bool { return s.Status != services.Running })
	})

	var (
		mu       sync.Mutex
		accepted = map[string]bool{}
		unknown  = map[string]bool{} // the crash of payment came before the answer
		refused  int                 // while no instance of payment was alive: nothing was written
		failed   []error
		offered  int
	)
	submit := func() {
		offered++
		shop.payment.Submit(payment.Request{Cart: events.DefaultCart()}, func(r payment.Receipt, err error) {
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				accepted[r.CheckoutID] = true
			case errors.Is(err, payment.ErrUnknown):
				unknown[r.CheckoutID] = true
			case errors.Is(err, payment.ErrDown):
				refused++
			default:
				failed = append(failed, err)
			}
		})
	}

	crowd := []services.Control{shop.staff.payment}
	for _, c := range shop.staff.crews {
		crowd = append(crowd, c)
	}
	ends := make(chan error, 1+len(crowd))
	go func() {
		for range kills {
			if err := killEachInTurn(t, cluster, shop); err != nil {
				ends <- err
				return
			}
		}
		ends <- nil
	}()
	var gaps sync.Map // of each service, how long it was gone
	for _, c := range crowd {
		go func() {
			took, err := crashOften(c)
			gaps.Store(c.Stats().Name, took)
			ends <- err
		}()
	}
	begun := time.Now()
	load := time.NewTicker(10 * time.Millisecond)
	defer load.Stop()
	for waiting := cap(ends); waiting > 0 || offered < least; {
		select {
		case <-load.C:
			for offered < int(time.Since(begun).Seconds()*float64(rate)) {
				submit()
			}
		case err := <-ends:
			if err != nil {
				t.Fatal(err)
			}
			waiting--
		}
	}
	spent := time.Since(begun)
	until(t, "every payment is answered", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(accepted)+len(unknown)+refused+len(failed) == offered
	})
	until(t, "every accepted checkout is complete", func() bool { return shop.analytics.Totals().Complete >= int64(len(accepted)) })
	for _, c := range shop.staff.crews { // in the order of the flow: what is repeated is repeated downstream
		name, now := c.Stats().Name, time.Now()
		until(t, name+" has read all", func() bool {
			return slices.ContainsFunc(shop.watcher.State().Groups, func(g watch.Group) bool {
				return g.Name == name && g.Seen.After(now.Add(groupRound)) && g.TotalLag() == 0
			})
		})
	}

	mu.Lock()
	defer mu.Unlock()
	if len(failed) > 0 {
		t.Errorf("%d of %d checkouts were not accepted, the first: %v", len(failed), offered, failed[0])
	}
	log := readAll(t, cluster.Bootstrap())
	paid := int64(0)
	for _, r := range log {
		if r.topic == "payment-successful" {
			paid++
		}
	}
	repeated := verdict(t, log, accepted, unknown)
	if delivery == services.ExactlyOnce && repeated > 0 {
		t.Errorf("%d repeated under %s", repeated, delivery)
	}
	rep, err := shop.audit(t.Context(), nil) // the shop's own ledger, which knows what was promised, must say the same
	if c := rep.Counts; err != nil || rep.Verdict() != ledger.Pass || c.Complete != paid || c.Accepted != int64(len(accepted)) || c.Unknown != int64(len(unknown)) || c.Repeated != int64(repeated) {
		t.Errorf("the ledger says %s, %+v, %v; %d accepted, %d unknown, %d paid and %d repeated by this reader: %v", rep.Verdict(), c, err, len(accepted), len(unknown), paid, repeated, rep.Findings)
	}
	totals := shop.analytics.Totals()
	if totals.Complete != paid || totals.InFlight != 0 || totals.Repeated != int64(repeated) {
		t.Errorf("the screen would say %d complete, %d in flight and %d repeated; the log says %d, 0 and %d", totals.Complete, totals.InFlight, totals.Repeated, paid, repeated)
	}
	for _, st := range shop.staff.all() {
		v, _ := gaps.Load(st.Name)
		took := slices.Sorted(slices.Values(v.([]time.Duration)))
		t.Logf("%s: %d crashes, %d restarts, gone for %v in the median and %v at worst", st.Name, len(took), st.Restarts, took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
		if st.Restarts != crashesEach {
			t.Errorf("%s was started again %d times, want %d", st.Name, st.Restarts, crashesEach)
		}
		if worst := took[len(took)-1]; full && worst > takenOver {
			t.Errorf("%s was gone for %v, longer than %v", st.Name, worst, takenOver)
		}
	}
	t.Logf("%s: %d checkouts at %.0f/s, %d repeated, flow p50 %v p99 %v max %v", delivery, offered, float64(offered)/spent.Seconds(), repeated, totals.PaymentToEmail.P50, totals.PaymentToEmail.P99, totals.PaymentToEmail.Max)
}

// crashOften crashes a service again and again, each time when it is at work, and says how long each time nothing was handled.
func crashOften(c services.Control) ([]time.Duration, error) {
	var took []time.Duration
	grows := func(what string) error {
		from := c.Stats().Handled
		if err := waitFor(func() bool { return c.Stats().Handled > from }); err != nil {
			return fmt.Errorf("%s %s: %w: %+v", c.Stats().Name, what, err, c.Stats())
		}
		return nil
	}
	for range crashesEach {
		if err := grows("before a crash"); err != nil {
			return took, err
		}
		at := time.Now()
		if err := c.Crash(); err != nil {
			return took, err
		}
		if err := waitFor(func() bool { return c.Stats().Live == 0 }); err != nil {
			return took, err
		}
		if err := grows("after a crash"); err != nil {
			return took, err
		}
		took = append(took, time.Since(at))
	}
	return took, nil
}

// seen is one record of the flow, in the words of the test.
type seen struct {
	topic         string
	partition     int32
	offset        int64
	at            time.Time
	transactional bool
	checkout, id  string
	user          string
}

// readAll reads the three topics to their ends with a plain read_committed reader and a JSON decoder of its own, in the order of the log.
func readAll(t testing.TB, bootstrap []string) []seen {
	t.Helper()
	ids := map[string]string{"payment-successful": "checkoutId", "order-successful": "orderId", "email-successful": "emailId"}
	var topics []string
	for topic := range ids {
		topics = append(topics, topic)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(bootstrap...), kgo.ConsumeTopics(topics...), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, topics...)
	if err != nil {
		t.Fatal(err)
	}
	var all []seen
	left := 0
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left++
		}
	})
	for left > 0 {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("the reader has %d partitions of %v to go", left, ends)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if end, _ := ends.Lookup(r.Topic, r.Partition); r.Offset == end.Offset-1 {
				left--
			}
			if r.Attrs.IsControl() {
				return
			}
			var v map[string]any
			if err := json.Unmarshal(r.Value, &v); err != nil {
				t.Errorf("%s/%d offset %d: %v", r.Topic, r.Partition, r.Offset, err)
			}
			checkout, _ := v["checkoutId"].(string)
			id, _ := v[ids[r.Topic]].(string)
			user, _ := v["userId"].(string)
			all = append(all, seen{r.Topic, r.Partition, r.Offset, r.Timestamp, r.Attrs.IsTransactional(), checkout, id, user})
		})
	}
	slices.SortFunc(all, func(a, b seen) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition), cmp.Compare(a.offset, b.offset))
	})
	return all
}

// verdict fails for what is lost, duplicated, never accepted or out of its order, and counts what is repeated.
func verdict(t testing.TB, log []seen, accepted, unknown map[string]bool) (repeated int) {
	t.Helper()
	first := map[string]map[string]seen{}       // by topic and checkout
	sequence := map[string]map[int32][]string{} // of checkouts, by topic and partition
	transactions := map[string]map[string]int{} // copies written in one
	duplicated, strange, lost, disorder := 0, 0, 0, 0
	topics := []string{"payment-successful", "order-successful", "email-successful"}
	for _, topic := range topics {
		first[topic], sequence[topic], transactions[topic] = map[string]seen{}, map[int32][]string{}, map[string]int{}
	}
	for _, r := range log {
		if !accepted[r.checkout] && !unknown[r.checkout] {
			strange++
		}
		if r.transactional {
			transactions[r.topic][r.checkout]++
		}
		f, again := first[r.topic][r.checkout]
		switch {
		case !again:
			first[r.topic][r.checkout] = r
			sequence[r.topic][r.partition] = append(sequence[r.topic][r.partition], r.checkout)
		case f.id != r.id || r.topic == topics[0] || transactions[r.topic][r.checkout] > 1:
			duplicated++
		default:
			repeated++
		}
	}
	promised := maps.Clone(accepted)
	landed := 0
	for id := range unknown { // whoever was told that it is unknown may have bought
		if _, ok := first[topics[0]][id]; ok {
			promised[id] = true
			landed++
		}
	}
	for id := range promised {
		for i, topic := range topics {
			r, ok := first[topic][id]
			if !ok {
				lost++
			} else if i > 0 && r.at.Before(first[topics[i-1]][id].at) {
				disorder++
			}
		}
	}
	for _, topic := range topics[1:] {
		for p, ids := range sequence[topics[0]] {
			if !slices.Equal(ids, sequence[topic][p]) {
				t.Errorf("%s/%d has its checkouts in another order than their payments", topic, p)
			}
		}
	}
	t.Logf("%d accepted, and %d of %d unknown: %d lost, %d duplicated, %d never asked for, %d before their cause, %d repeated",
		len(accepted), landed, len(unknown), lost, duplicated, strange, disorder, repeated)
	if lost+duplicated+strange+disorder > 0 {
		t.Fail()
	}
	return repeated
}
