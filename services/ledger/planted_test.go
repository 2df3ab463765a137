package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// plot is a cluster whose log a test writes by hand.
type plot struct {
	t    *testing.T
	c    *kfake.Cluster
	opts []kgo.Opt
	cl   *kgo.Client
	adm  *kadm.Client
	book *Book
	now  time.Time
}

func newPlot(t *testing.T) *plot {
	t.Helper()
	t.Parallel()
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	p := &plot{t: t, c: c, opts: []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}, book: NewBook(t.TempDir()), now: time.Now()}
	t.Cleanup(func() { _ = p.book.Close() })
	p.cl = p.client()
	p.adm = kadm.NewClient(p.cl)
	if _, err := p.adm.CreateTopics(t.Context(), 3, 1, nil, auditedTopics()...); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *plot) client(more ...kgo.Opt) *kgo.Client {
	p.t.Helper()
	cl, err := kgo.NewClient(append(append(slices.Clone(p.opts), kgo.RecordPartitioner(kgo.ManualPartitioner())), more...)...)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(cl.Close)
	return cl
}

// cart is what everybody buys in these tests.
const cart = `[{"id":1,"price":1999.9},{"id":2,"price":500}]`

const paid = 249990

func valueOf(s stage, id string) string {
	switch s {
	case payment:
		return fmt.Sprintf(`{"userId":"u","cart":%s,"checkoutId":%q,"amount":2499.9}`, cart, id)
	case order:
		return fmt.Sprintf(`{"userId":"u","orderId":"o-%s","checkoutId":%q}`, id, id)
	}
	return fmt.Sprintf(`{"userId":"u","emailId":"e-%s","checkoutId":%q}`, id, id)
}

// record is an event of a checkout. Time goes on by 10 ms from one to the next.
func (p *plot) record(s stage, id string) *kgo.Record {
	p.now = p.now.Add(10 * time.Millisecond)
	return &kgo.Record{Topic: topics[s], Partition: int32(len(id) % 3), Key: []byte(id), Value: []byte(valueOf(s, id)), Timestamp: p.now}
}

func (p *plot) write(recs ...*kgo.Record) {
	p.t.Helper()
	if err := p.cl.ProduceSync(p.t.Context(), recs...).FirstErr(); err != nil {
		p.t.Fatal(err)
	}
}

// inTransaction writes records in one transaction of its own.
func (p *plot) inTransaction(end kgo.TransactionEndTry, recs ...*kgo.Record) {
	p.t.Helper()
	cl := p.client(kgo.TransactionalID(fmt.Sprintf("t-%d", p.now.UnixNano())))
	if err := cl.BeginTransaction(); err != nil {
		p.t.Fatal(err)
	}
	if err := cl.ProduceSync(p.t.Context(), recs...).FirstErr(); err != nil {
		p.t.Fatal(err)
	}
	if err := cl.EndTransaction(p.t.Context(), end); err != nil {
		p.t.Fatal(err)
	}
}

// flow writes the three events of these checkouts, and notes that they were acknowledged.
func (p *plot) flow(ids ...string) {
	p.t.Helper()
	for s := payment; s < flow; s++ {
		for _, id := range ids {
			if s == payment {
				p.accept(id)
			}
			p.write(p.record(s, id))
		}
	}
}

func (p *plot) accept(id string) {
	p.book.Ask(id, paid)
	p.book.Answer(id, Accepted, paid)
}

// pass commits that the groups have handled all that there is.
func (p *plot) pass() {
	p.t.Helper()
	for s, group := range readers {
		if group == "" {
			continue
		}
		ends, err := p.adm.ListEndOffsets(p.t.Context(), topics[s])
		if err != nil {
			p.t.Fatal(err)
		}
		if err := p.adm.CommitAllOffsets(p.t.Context(), group, ends.Offsets()); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *plot) audit(with *Book) Report {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	rep, err := Audit(ctx, Config{Client: p.opts, Book: with, TempDir: p.t.TempDir(), Patience: 5 * time.Second})
	if err != nil {
		p.t.Fatal(err)
	}
	return rep
}

// Every fault that is planted is found and named, with the places that prove it, and nothing else is. Each is judged against what was promised and, where
// the log alone shows it, without.
func TestPlantedFaults(t *testing.T) {
	t.Parallel()
	accepted := func(p *plot, id string) { p.accept(id) }
	for name, c := range map[string]struct {
		plant func(p *plot)
		want  []string // "kind checkout: part of the detail @ places"; with promises
		alone []string // as want, without promises
		ok    bool     // the verdict is pass all the same
	}{
		"nothing": {plant: func(*plot) {}, ok: true},
		"an acknowledged record removed": {
			plant: func(p *plot) { accepted(p, "gone") },
			want:  []string{"lost gone: acknowledged, and its payment is not in the log @"},
			alone: []string{},
		},
		"a payment removed, and what follows from it not": {
			plant: func(p *plot) { accepted(p, "gone"); p.write(p.record(order, "gone"), p.record(email, "gone")) },
			want:  []string{"lost gone: though what follows @ order-successful/1@1 email-successful/1@1"},
			alone: []string{"withoutCause gone: no payment @ order-successful/1@1 email-successful/1@1"},
		},
		"a payment doubled": {
			plant: func(p *plot) { p.flow("twin"); p.write(p.record(payment, "twin")) },
			want:  []string{"duplicated twin: paid for 2 times @ payment-successful/1@1 payment-successful/1@2"},
		},
		"two orders for one checkout": {
			plant: func(p *plot) {
				p.flow("twin")
				r := p.record(order, "twin")
				r.Value = []byte(`{"userId":"u","orderId":"another","checkoutId":"twin"}`)
				p.write(r)
			},
			want: []string{"duplicated twin: 2 orders, and not all have the same id @ payment-successful/1@1 order-successful/1@1 order-successful/1@2 email-successful/1@1"},
		},
		"an order repeated at-least-once": {
			plant: func(p *plot) { p.flow("again"); p.write(p.record(order, "again")) },
			want:  []string{"repeated again: its order 2 times under one id @ order-successful/2@0 order-successful/2@1"},
			ok:    true,
		},
		"an order repeated under transactions": {
			plant: func(p *plot) {
				accepted(p, "again")
				p.write(p.record(payment, "again"))
				p.inTransaction(kgo.TryCommit, p.record(order, "again"))
				p.inTransaction(kgo.TryCommit, p.record(order, "again"))
				p.write(p.record(email, "again"))
			},
			want: []string{"duplicated again: its order 2 times, of those 2 in transactions @ payment-successful/2@0 order-successful/2@0 order-successful/2@2 email-successful/2@0"},
		},
		"repeated by the delivery that came before": {
			plant: func(p *plot) { p.flow("again"); p.inTransaction(kgo.TryCommit, p.record(email, "again")) },
			want:  []string{"repeated again: its email 2 times @ email-successful/2@0 email-successful/2@1"},
			ok:    true,
		},
		"an order without payment": {
			plant: func(p *plot) { p.write(p.record(order, "ghost"), p.record(email, "ghost")) },
			want:  []string{"withoutCause ghost: no payment @ order-successful/2@0 email-successful/2@0"},
		},
		"a payment that nobody asked for": {
			plant: func(p *plot) {
				p.write(p.record(payment, "ghost"), p.record(order, "ghost"), p.record(email, "ghost"))
			},
			want:  []string{"withoutCause ghost: nobody asked @ payment-successful/2@0"},
			alone: []string{},
		},
		"an event that exists in an aborted transaction only": {
			plant: func(p *plot) {
				accepted(p, "undone")
				p.write(p.record(payment, "undone"))
				p.inTransaction(kgo.TryAbort, p.record(order, "undone"))
			},
			want: []string{"lost undone: no order for it, and group order has gone past @ payment-successful/0@0"},
		},
		"an aborted transaction that was done again": {
			plant: func(p *plot) {
				accepted(p, "undone")
				p.write(p.record(payment, "undone"))
				p.inTransaction(kgo.TryAbort, p.record(order, "undone"))
				p.inTransaction(kgo.TryCommit, p.record(order, "undone"))
				p.write(p.record(email, "undone"))
			},
			ok: true,
		},
		"an amount that is not what was promised": {
			plant: func(p *plot) {
				p.book.Ask("dear", 4711)
				p.book.Answer("dear", Accepted, 4711)
				p.write(p.record(payment, "dear"), p.record(order, "dear"), p.record(email, "dear"))
			},
			want:  []string{"changedAmount dear: 47.11 was promised, and its payment says 2499.9 @ payment-successful/1@1"},
			alone: []string{},
		},
		"an amount that is not what the cart adds up to": {
			plant: func(p *plot) {
				p.book.Ask("dear", 249991)
				p.book.Answer("dear", Accepted, 249991)
				r := p.record(payment, "dear")
				r.Value = []byte(strings.Replace(string(r.Value), "2499.9", "2499.91", 1))
				p.write(r, p.record(order, "dear"), p.record(email, "dear"))
			},
			want: []string{"changedAmount dear: its payment says 2499.91, and its cart adds up to something else @ payment-successful/1@1"},
		},
		"a swallowed email": {
			plant: func(p *plot) { accepted(p, "mute"); p.write(p.record(payment, "mute"), p.record(order, "mute")) },
			want:  []string{"lost mute: no email for it, and group email has gone past its order @ payment-successful/1@1 order-successful/1@1"},
		},
		"an email without an order": {
			plant: func(p *plot) { accepted(p, "odd"); p.write(p.record(payment, "odd"), p.record(email, "odd")) },
			want:  []string{"lost odd: no order for it @ payment-successful/0@0 email-successful/0@0"},
		},
		"unknown, and it landed": {
			plant: func(p *plot) {
				p.book.Ask("maybe", paid)
				p.book.Answer("maybe", Unknown, paid)
				p.write(p.record(payment, "maybe"), p.record(order, "maybe"), p.record(email, "maybe"))
			},
			ok: true,
		},
		"not answered yet, and it landed": {
			plant: func(p *plot) {
				p.book.Ask("maybe", paid)
				p.write(p.record(payment, "maybe"), p.record(order, "maybe"), p.record(email, "maybe"))
			},
			ok: true,
		},
		"unknown, and it did not land": {
			plant: func(p *plot) { p.book.Ask("maybe", paid); p.book.Answer("maybe", Unknown, paid) },
			want:  []string{"indeterminate maybe: nobody knew @"}, alone: []string{}, ok: true,
		},
		"unknown, and it landed twice": {
			plant: func(p *plot) {
				p.book.Ask("maybe", paid)
				p.book.Answer("maybe", Unknown, paid)
				p.write(p.record(payment, "maybe"), p.record(payment, "maybe"), p.record(order, "maybe"), p.record(email, "maybe"))
			},
			want: []string{"duplicated maybe: paid for 2 times @ payment-successful/2@0 payment-successful/2@1"},
		},
		"refused, and in the log": {
			plant: func(p *plot) {
				p.book.Ask("no", paid)
				p.book.Answer("no", Refused, paid)
				p.write(p.record(payment, "no"), p.record(order, "no"), p.record(email, "no"))
			},
			want:  []string{"withoutCause no: was refused @ payment-successful/2@0 order-successful/2@0 email-successful/2@0"},
			alone: []string{},
		},
		"refused first, and then accepted": {
			plant: func(p *plot) { p.book.Answer("stubborn", Refused, paid); p.flow("stubborn") },
			ok:    true,
		},
		"unknown first, then refused, and landed": {
			plant: func(p *plot) {
				p.book.Answer("stubborn", Unknown, paid)
				p.book.Answer("stubborn", Refused, paid)
				p.write(p.record(payment, "stubborn"), p.record(order, "stubborn"), p.record(email, "stubborn"))
			},
			ok: true,
		},
		"dead-lettered": {
			plant: func(p *plot) { accepted(p, "ill"); p.write(p.record(payment, "ill"), p.letter(payment, "ill")) },
			want:  []string{"deadLettered ill: its payment is among the dead letters @ payment-successful/0@0 payment-successful.dlq/0@0"}, ok: true,
		},
		"dead-lettered, written again, and complete": {
			plant: func(p *plot) {
				accepted(p, "ill")
				r := p.record(payment, "ill")
				p.write(p.record(payment, "ill"), p.letter(payment, "ill"))
				r.Headers = []kgo.RecordHeader{{Key: headerRetryOf, Value: []byte("payment-successful.dlq/0@0")}}
				note := p.letter(payment, "ill")
				note.Headers = []kgo.RecordHeader{{Key: headerRetried, Value: []byte("payment-successful/0@0")}}
				p.inTransaction(kgo.TryCommit, r, note)
				p.write(p.record(order, "ill"), p.record(email, "ill"))
			},
			ok: true,
		},
		"a record that is not JSON, and died": {
			plant: func(p *plot) {
				bad, letter := p.record(payment, "bad"), p.letter(payment, "bad")
				bad.Value, letter.Value = []byte("hello"), []byte("hello")
				p.write(bad, letter)
			},
			want: []string{"deadLettered " + placeID("payment-successful", 0, 0) + ": its payment is among @ payment-successful/0@0 payment-successful.dlq/0@0"}, ok: true,
		},
		"a record that is not JSON, and was swallowed": {
			plant: func(p *plot) {
				bad := p.record(order, "bad")
				bad.Value = []byte("hello")
				p.write(bad)
			},
			want: []string{"lost " + placeID("order-successful", 0, 0) + ": no email for it @ order-successful/0@0"},
		},
		"an event that names no checkout": {
			plant: func(p *plot) {
				p.book.Begun() // the shop's own customers all have one
				pay, ord, mail := p.record(payment, "who"), p.record(order, "who"), p.record(email, "who")
				pay.Value = []byte(`{"userId":"u","cart":` + cart + `}`)
				id := placeID("payment-successful", 0, 0)
				ord.Value, mail.Value = []byte(valueOf(order, id)), []byte(valueOf(email, id))
				p.write(pay, ord, mail)
			},
			want:  []string{"withoutCause " + placeID("payment-successful", 0, 0) + ": nobody asked @ payment-successful/0@0"},
			alone: []string{},
		},
		"an order before its payment": {
			plant: func(p *plot) {
				accepted(p, "hasty")
				ord, pay := p.record(order, "hasty"), p.record(payment, "hasty")
				p.write(pay, ord, p.record(email, "hasty"))
			},
			want: []string{"outOfOrder hasty: older than its cause @ payment-successful/2@0 order-successful/2@0 email-successful/2@0"},
		},
		"an order that another overtook": {
			plant: func(p *plot) {
				accepted(p, "one")
				accepted(p, "two")
				p.write(p.record(payment, "one"), p.record(payment, "two"), p.record(order, "two"), p.record(order, "one"), p.record(email, "one"), p.record(email, "two"))
			},
			want: []string{"outOfOrder one: its order comes after that of the payment at payment-successful/0@1 @ payment-successful/0@0 order-successful/0@1 email-successful/0@0 order-successful/0@0"},
		},
		"in flight": {
			plant: func(p *plot) {
				accepted(p, "slow")
				p.pass()
				p.write(p.record(payment, "slow"))
			},
			want: []string{"inFlight slow: it waits for its order @ payment-successful/1@1"}, ok: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlot(t)
			p.flow("fine") // partition 1
			late := strings.HasPrefix(name, "in flight")
			c.plant(p)
			if !late {
				p.pass()
			}
			check := func(how string, book *Book, want []string) {
				t.Helper()
				rep := p.audit(book)
				compare(t, how, rep.Findings, want)
				if v := rep.Verdict(); (v == Pass) != (c.ok || len(want) == 0) || v == None {
					t.Errorf("%s: the verdict is %s", how, v)
				}
				if rep.Complete < 1 {
					t.Errorf("%s: what is fine is not complete: %+v", how, rep.Counts)
				}
			}
			check("with promises", p.book, c.want)
			alone := c.want
			if c.alone != nil {
				alone = c.alone
			}
			check("without promises", nil, alone)
		})
	}
}

// compare wants exactly these findings: "kind checkout: part of the detail @ places", of which the first may be all that matter.
func compare(t *testing.T, how string, got []Finding, want []string) {
	t.Helper()
	var rest []string
	for _, f := range got {
		rest = append(rest, fmt.Sprintf("%s %s: %s @ %s", f.Kind, f.Checkout, f.Detail, strings.Join(f.Where, " ")))
	}
	for _, w := range want {
		head, tail, _ := strings.Cut(w, ": ")
		detail, where, _ := strings.Cut(tail, " @")
		i := slices.IndexFunc(rest, func(g string) bool {
			return strings.HasPrefix(g, head+": ") && strings.Contains(g, detail) && strings.Contains(g, "@"+where)
		})
		if i < 0 {
			t.Errorf("%s: no %q among\n%s", how, w, strings.Join(rest, "\n"))
			continue
		}
		rest = slices.Delete(rest, i, i+1)
	}
	if len(rest) > 0 {
		t.Errorf("%s: found besides that:\n%s", how, strings.Join(rest, "\n"))
	}
}

// letter is the dead letter about the first record of a checkout.
func (p *plot) letter(s stage, id string) *kgo.Record {
	r := p.record(s, id)
	r.Topic += deadSuffix
	r.Headers = []kgo.RecordHeader{
		{Key: headerDeadTopic, Value: []byte(topics[s])}, {Key: headerDeadPartition, Value: fmt.Append(nil, r.Partition)}, {Key: headerDeadOffset, Value: []byte("0")},
	}
	return r
}

// A log that retention has cut is called that, and nothing is called lost that may have been deleted.
func TestTruncatedLog(t *testing.T) {
	p := newPlot(t)
	p.flow("four", "fine") // both in partition 1
	p.accept("old")        // and never written
	p.pass()
	p.cut("payment-successful", 1, 2)

	// Nothing is left of the partition, so anything may have been in it.
	rep := p.audit(p.book)
	compare(t, "with promises", rep.Findings, []string{
		"unjudged four: its payment may have been deleted @ order-successful/1@0 email-successful/1@0", "unjudged fine: its payment may @", "unjudged old: its payment may @",
	})
	if rep.Verdict() != None || rep.Lost != 0 || !slices.Equal(rep.Truncated, []string{"payment-successful/1 begins at offset 2"}) {
		t.Errorf("%s, %+v, %q", rep.Verdict(), rep.Counts, rep.Truncated)
	}
	rep = p.audit(nil)
	compare(t, "without promises", rep.Findings, []string{"unjudged four: @", "unjudged fine: @"})
	if rep.Verdict() != Pass { // nobody was promised anything
		t.Errorf("%s, %+v", rep.Verdict(), rep.Counts)
	}

	// What is younger than the oldest record that is left was never deleted.
	p.now = p.now.Add(time.Hour)
	p.flow("nine")
	p.now = p.now.Add(time.Hour)
	p.book.noteLocked(Promise{"lost", Accepted, paid, p.now})
	p.write(p.record(order, "ghost"), p.record(email, "ghost"), p.record(payment, "mute"))
	p.pass()
	young := []string{"lost mute: no order @", "withoutCause ghost: no payment @"}
	old := []string{"unjudged four: @", "unjudged fine: @"}
	compare(t, "later, without promises", p.audit(nil).Findings, append(young, old...))
	p.accept("mute")
	young = append(young, "lost lost: acknowledged @", "unjudged old: @")
	rep = p.audit(p.book)
	compare(t, "later, with promises", rep.Findings, append(young, old...))
	if rep.Verdict() != Fail {
		t.Errorf("%s, %+v", rep.Verdict(), rep.Counts)
	}

	// The other topics forget too.
	p.cut("order-successful", 1, 2)
	p.cut("email-successful.dlq", 0, 0)
	compare(t, "orders cut", p.audit(nil).Findings, []string{
		"lost mute: no order @", "withoutCause ghost: no payment @", "unjudged four: @ email-successful/1@0", "unjudged fine: @ email-successful/1@1",
	})
	p.write(p.letter(payment, "mute"))
	p.cut("payment-successful.dlq", 1, 1)
	compare(t, "letters cut", p.audit(nil).Findings, []string{
		"unjudged mute: or the dead letter @", "withoutCause ghost: no payment @", "unjudged four: @", "unjudged fine: @",
	})
}

// cut deletes what is before this offset.
func (p *plot) cut(topic string, partition int32, offset int64) {
	p.t.Helper()
	var cut kadm.Offsets
	cut.AddOffset(topic, partition, offset, -1)
	done, err := p.adm.DeleteRecords(p.t.Context(), cut)
	if err == nil {
		err = done.Error()
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// Whoever reads uncommitted would take the aborted order for delivered.
func TestAbortedIsNotRead(t *testing.T) {
	p := newPlot(t)
	p.write(p.record(payment, "undone"))
	p.inTransaction(kgo.TryAbort, p.record(order, "undone"), p.record(order, "undone"))
	p.pass()
	rep := p.audit(nil)
	if rep.Aborted != 2 || rep.Records != 1 || rep.Lost != 1 {
		t.Errorf("%d aborted, %d records, %+v", rep.Aborted, rep.Records, rep.Counts)
	}
	p.opts = append(p.opts, kgo.FetchIsolationLevel(kgo.ReadUncommitted())) // the audit's own option comes after it
	if again := p.audit(nil); again.Counts != rep.Counts {
		t.Errorf("the caller's isolation level counts: %+v", again.Counts)
	}
}

// An audit that cannot read all says so, and gives no verdict.
func TestUnfinished(t *testing.T) {
	p := newPlot(t)
	p.flow("fine")
	cl := p.client(kgo.TransactionalID("hangs"), kgo.TransactionTimeout(time.Minute))
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(t.Context(), p.record(order, "open")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	rep, err := Audit(t.Context(), Config{Client: p.opts, Book: p.book, Patience: 300 * time.Millisecond})
	if !errors.Is(err, ErrUnfinished) || rep.Verdict() != None || rep.Counts != (Counts{}) || !strings.Contains(rep.Why, "order-successful/1") {
		t.Errorf("an open transaction: %v, %+v", err, rep)
	}
	if err := cl.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	rep, err = Audit(ctx, Config{Client: p.opts, Book: p.book, Progress: func(Progress) { cancel() }})
	if !errors.Is(err, ErrUnfinished) || !errors.Is(err, context.Canceled) || rep.Verdict() != None {
		t.Errorf("cancelled: %v, %+v", err, rep)
	}
	_ = p.book.Close()
	if rep, err = Audit(t.Context(), Config{Client: p.opts, Book: p.book}); !errors.Is(err, ErrUnfinished) || rep.Verdict() != None || !strings.Contains(rep.Why, "not whole") {
		t.Errorf("a book that is closed: %v, %+v", err, rep)
	}
	empty, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer empty.Close()
	if _, err = Audit(t.Context(), Config{Client: []kgo.Opt{kgo.SeedBrokers(empty.ListenAddrs()...)}}); !errors.Is(err, ErrNoTopics) {
		t.Errorf("no topics: %v", err)
	}
	addr := empty.ListenAddrs()[0]
	empty.Close()
	if _, err = Audit(t.Context(), Config{Client: []kgo.Opt{kgo.SeedBrokers(addr)}, Patience: 300 * time.Millisecond}); !errors.Is(err, ErrUnfinished) {
		t.Errorf("no cluster: %v", err)
	}
}

// A partition that answers with nothing but errors is given up like one that does not answer.
func TestAPartitionThatOnlyRefusesIsNotReadForEver(t *testing.T) {
	p := newPlot(t)
	p.flow("fine")
	p.c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.TopicAuthorizationFailed, Count: -1})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	rep, err := Audit(ctx, Config{Client: p.opts, Book: p.book, Patience: 300 * time.Millisecond})
	if !errors.Is(err, ErrUnfinished) || !errors.Is(err, kerr.TopicAuthorizationFailed) || rep.Verdict() != None || !strings.Contains(rep.Why, "TOPIC_AUTHORIZATION_FAILED") {
		t.Errorf("%v, %s", err, rep.Why)
	}
}

// A broker that has just come back answers once with an end that is long past. What seems lost then is looked for a second time, and found.
func TestStaleEndsLoseNothing(t *testing.T) {
	p := newPlot(t)
	p.flow("one", "four", "fine")
	p.pass()
	stale := true
	p.c.ControlKey(int16(kmsg.ListOffsets), func(req kmsg.Request) (kmsg.Response, error, bool) {
		p.c.KeepControl()
		ask := req.(*kmsg.ListOffsetsRequest)
		if !stale || ask.Topics[0].Partitions[0].Timestamp != -1 {
			return nil, nil, false
		}
		stale = false
		resp := ask.ResponseKind().(*kmsg.ListOffsetsResponse)
		for _, topic := range ask.Topics {
			st := kmsg.NewListOffsetsResponseTopic()
			st.Topic = topic.Topic
			for _, part := range topic.Partitions {
				sp := kmsg.NewListOffsetsResponseTopicPartition()
				sp.Partition, sp.Offset = part.Partition, 0
				st.Partitions = append(st.Partitions, sp)
			}
			resp.Topics = append(resp.Topics, st)
		}
		return resp, nil, true
	})
	again := false
	rep, err := Audit(t.Context(), Config{Client: p.opts, Book: p.book, Progress: func(p Progress) { again = again || p.Again }})
	if err != nil || rep.Verdict() != Pass || rep.Complete != 3 || !again {
		t.Errorf("%v, %+v, looked at again: %v", err, rep.Counts, again)
	}
}
