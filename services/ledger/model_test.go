package ledger

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A join in bounded memory says the same as a model that holds everything in memory and looks at every pair, however little memory there is.
func TestJoinAgreesWithModel(t *testing.T) {
	dir := t.TempDir()
	spilled, split := false, false
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		j := newJoin(maphash.MakeSeed(), dir, rapid.IntRange(1, 8).Draw(t, "checkouts in memory"), rapid.IntRange(1, 400).Draw(t, "bytes in memory"), rapid.Int64Range(1, 4).Draw(t, "stretch"))
		j.first = rapid.IntRange(1, 3).Draw(t, "bits")
		defer func() {
			if err := j.close(); err != nil {
				t.Error(err)
			}
		}()
		by := &judge{log: m.log, promised: m.promised, others: m.others, begun: m.begun, skew: m.skew, order: j.order, findings: findings{most: 1000}}
		for _, p := range m.promises {
			if err := j.add(p.append(nil)); err != nil {
				t.Fatal(err)
			}
		}
		for _, s := range m.sightings {
			if err := j.add(s.append(nil)); err != nil {
				t.Fatal(err)
			}
		}
		spilled = spilled || j.entries.spool.size > 0
		if err := j.judge(by, func(int64, int64) error { return nil }); err != nil {
			t.Fatal(err)
		}
		split = split || j.splits > 0
		counts, found := m.judge()
		if by.counts != counts {
			t.Errorf("the join counts\n%+v, the model\n%+v", by.counts, counts)
		}
		var got []string
		for _, f := range by.findings.all {
			got = append(got, f.Kind+" "+f.Checkout)
		}
		slices.Sort(got)
		slices.Sort(found)
		if !slices.Equal(got, found) {
			t.Errorf("the join finds\n%q, the model\n%q", got, found)
		}
		c := by.counts
		landed := c.Unknown - c.Indeterminate
		if sum := c.Complete + c.InFlight + c.Lost + c.Duplicated + c.DeadLettered + c.Unjudged - m.edge; sum != c.Accepted+landed {
			t.Errorf("%d accepted and %d landed, %d judged: %+v", c.Accepted, landed, sum, c)
		}
	})
	if !spilled || !split {
		t.Errorf("written to a file: %v, a bucket dealt out again: %v", spilled, split)
	}
}

// model is a log and its promises, held as they are.
type model struct {
	log       log
	promised  bool
	others    bool
	begun     int64
	skew      time.Duration
	promises  []Promise
	sightings []sighting
	edge      int64 // checkouts that are unjudged though neither promised nor paid for in the log
}

func drawModel(t *rapid.T) *model {
	m := &model{promised: rapid.Bool().Draw(t, "promised"), others: rapid.Bool().Draw(t, "others"), skew: time.Duration(rapid.IntRange(0, 3).Draw(t, "skew")) * time.Millisecond}
	ids := make([]string, rapid.IntRange(1, 10).Draw(t, "ids"))
	for i := range ids {
		ids[i] = fmt.Sprintf("c%d", i)
		if i%2 == 0 {
			ids[i] = placeID("x", 0, int64(i))
		}
	}
	id := rapid.SampledFrom(ids)
	// Times are a few ms around now, so that they meet; the margin of retention is in their midst.
	const now = 1_000_000
	at := rapid.Int64Range(now, now+20)
	m.begun = at.Draw(t, "begun")
	for g := range flow {
		forgets := func(what string) forgetting {
			if rapid.IntRange(0, 3).Draw(t, what) > 0 {
				return forgetting{}
			}
			return forgetting{true, at.Draw(t, what+" until") - margin.Milliseconds()}
		}
		m.log.topics[g], m.log.letters[g] = forgets("records"), forgets("letters")
		m.log.passed[g] = map[int32]int64{}
		for p := range int32(2) {
			if rapid.Bool().Draw(t, "known") {
				m.log.passed[g][p] = rapid.Int64Range(0, 30).Draw(t, "passed")
			}
		}
	}
	if m.promised {
		for range rapid.IntRange(0, 12).Draw(t, "promises") {
			p := Promise{id.Draw(t, "id"), Outcome(rapid.IntRange(1, 3).Draw(t, "outcome")), rapid.Int64Range(-1, 2).Draw(t, "amount"), time.Time{}}
			if rapid.IntRange(0, 4).Draw(t, "timed") > 0 {
				p.At = time.UnixMilli(at.Draw(t, "at"))
			}
			m.promises = append(m.promises, p)
		}
	}
	var offsets [flow][2][2]int64
	odd := func(what string) bool { return rapid.IntRange(0, 7).Draw(t, what) == 0 }
	for range rapid.IntRange(0, 40).Draw(t, "sightings") {
		s := sighting{stage: stage(rapid.IntRange(0, 2).Draw(t, "stage")), dead: odd("dead"), tx: rapid.Bool().Draw(t, "tx"), at: at.Draw(t, "at"), checkout: id.Draw(t, "id"), amount: NoAmount}
		s.spot.partition = int32(rapid.IntRange(0, 1).Draw(t, "partition"))
		if !odd("elsewhere") { // mostly, a checkout has one partition
			s.spot.partition = int32(len(s.checkout) % 2)
		}
		d := 0
		if s.dead {
			d = 1
		} else {
			s.retry, s.nameless = odd("retry"), odd("nameless")
			if s.stage == payment {
				s.amount, s.changed = rapid.Int64Range(-1, 2).Draw(t, "amount"), odd("changed")
			} else {
				s.id = uint64(rapid.IntRange(0, 9).Draw(t, "name") / 9)
			}
		}
		o := &offsets[s.stage][d][s.spot.partition]
		*o += rapid.Int64Range(1, 2).Draw(t, "gap")
		s.spot.offset = *o
		m.sightings = append(m.sightings, s)
	}
	return m
}

// judge says what is so, in words as near to the definitions as can be.
func (m *model) judge() (c Counts, found []string) {
	type checkout struct {
		promises []Promise
		records  [flow][]sighting
		letters  [flow]int
	}
	all := map[string]*checkout{}
	of := func(id string) *checkout {
		if all[id] == nil {
			all[id] = &checkout{}
		}
		return all[id]
	}
	for _, p := range m.promises {
		of(p.Checkout).promises = append(of(p.Checkout).promises, p)
	}
	for _, s := range m.sightings {
		if s.dead {
			of(s.checkout).letters[s.stage]++
		} else {
			of(s.checkout).records[s.stage] = append(of(s.checkout).records[s.stage], s)
		}
	}
	inLog := func(s sighting) spot { return s.spot }
	first := func(list []sighting) sighting {
		return slices.MinFunc(list, func(a, b sighting) int {
			return cmp.Or(cmp.Compare(inLog(a).partition, inLog(b).partition), cmp.Compare(inLog(a).offset, inLog(b).offset))
		})
	}
	oldest := func(list ...sighting) int64 {
		return slices.MinFunc(list, func(a, b sighting) int { return cmp.Compare(a.at, b.at) }).at
	}
	written := func(list []sighting) []sighting { // by the services
		return slices.DeleteFunc(slices.Clone(list), func(s sighting) bool { return s.retry })
	}
	is := func(kind, id string) { found = append(found, kind+" "+id) }

	type lined struct {
		id    string
		early bool
		first [flow]*spot
	}
	var line []lined
	for id, x := range all {
		pay, ord, mail := x.records[payment], x.records[order], x.records[email]
		everything := slices.Concat(pay, ord, mail)
		promise := Promise{Amount: NoAmount}
		var since int64
		for i, p := range x.promises {
			if p.Outcome > promise.Outcome {
				promise = p
			}
			if ms := millis(p.At); i == 0 || ms < since {
				since = ms
			}
		}
		died := x.letters != [flow]int{}
		nameless := slices.ContainsFunc(everything, func(s sighting) bool { return s.nameless })

		stray := func() {
			switch rest := slices.Concat(ord, mail); {
			case len(rest) == 0:
			case !m.log.topics[payment].of(oldest(rest...)):
				c.WithoutCause++
				is(KindWithoutCause, id)
			case promise.Outcome == 0:
				c.Unjudged++
				m.edge++
				is(KindUnjudged, id)
			}
		}
		switch promise.Outcome {
		case Refused:
			c.Refused++
			if len(everything) > 0 {
				c.WithoutCause++
				is(KindWithoutCause, id)
			}
			continue
		case Unknown:
			c.Unknown++
			if len(pay) == 0 && x.letters[payment] == 0 {
				c.Indeterminate++
				is(KindIndeterminate, id)
				stray()
				continue
			}
		case Accepted:
			c.Accepted++
		default:
			if m.promised && !m.others && len(pay) > 0 && oldest(pay...) >= m.begun && x.letters[payment] == 0 {
				c.WithoutCause++
				is(KindWithoutCause, id)
				continue
			}
			if len(pay) == 0 && !nameless && !died {
				stray()
				continue
			}
			c.Accepted++
		}

		// What is missing, from the first event that is there.
		fate := ""
		missing := func(g stage) string { // the event that follows from those of g
			from := x.records[g]
			passed, known := m.log.passed[g][first(from).spot.partition]
			switch {
			case x.letters[g] > 0:
				return KindDeadLettered
			case len(mail) > 0 && m.log.topics[order].of(oldest(mail...)):
				return ""
			case m.log.topics[g+1].of(oldest(from...)) || m.log.letters[g].of(oldest(from...)):
				return KindUnjudged
			case known && passed > first(from).spot.offset:
				return KindLost
			}
			return KindInFlight
		}
		switch {
		case len(pay) == 0 && promise.Outcome == Accepted && x.letters[payment] == 0:
			fate = KindLost
			if m.log.topics[payment].of(since) {
				fate = KindUnjudged
			}
		case len(everything) == 0:
			fate = KindDeadLettered
		default:
			if len(pay) > 0 && len(ord) == 0 {
				fate = missing(payment)
			} else if len(ord) > 0 && len(mail) == 0 {
				fate = missing(order)
			}
			if fate == "" && x.letters[email] > len(mail)-len(written(mail)) {
				fate = KindDeadLettered
			}
		}

		// What there is too much of.
		twice := len(written(pay)) > 1
		for _, g := range []stage{order, email} {
			list := written(x.records[g])
			if len(list) < 2 {
				continue
			}
			names, transactions := map[uint64]bool{}, 0
			for _, s := range x.records[g] {
				names[s.id] = true
			}
			for _, s := range list {
				if s.tx {
					transactions++
				}
			}
			if len(names) > 1 || transactions > 1 {
				twice = true
			} else {
				c.Repeated += int64(len(list) - 1)
				is(KindRepeated, id)
			}
		}
		if twice && fate != KindLost {
			fate = KindDuplicated
		}
		switch fate {
		case "":
			c.Complete++
		case KindLost:
			c.Lost++
		case KindDuplicated:
			c.Duplicated++
		case KindDeadLettered:
			c.DeadLettered++
		case KindUnjudged:
			c.Unjudged++
		case KindInFlight:
			c.InFlight++
		}
		if fate != "" {
			is(fate, id)
		}
		if len(pay) > 0 && len(ord) == 0 && len(mail) > 0 && fate != KindLost && x.letters[order] == 0 && !m.log.topics[order].of(oldest(mail...)) {
			c.WithoutCause++
			is(KindWithoutCause, id)
		}
		if x.letters[payment] == 0 && slices.ContainsFunc(pay, func(s sighting) bool {
			return s.changed || promise.Amount != NoAmount && s.amount != NoAmount && s.amount != promise.Amount
		}) {
			c.ChangedAmount++
			is(KindChangedAmount, id)
		}
		if died || len(written(everything)) < len(everything) {
			continue
		}
		l := lined{id: id}
		for g := payment; g < flow; g++ {
			if list := x.records[g]; len(list) > 0 {
				at := first(list).spot
				l.first[g] = &at
			}
			if g > payment && len(x.records[g-1]) > 0 && len(x.records[g]) > 0 && oldest(x.records[g]...) < oldest(x.records[g-1]...)-m.skew.Milliseconds() {
				l.early = true
			}
		}
		line = append(line, l)
	}
	for _, a := range line {
		out := a.early
		for _, b := range line {
			for _, g := range []stage{order, email} {
				if a.first[payment] == nil || b.first[payment] == nil || a.first[g] == nil || b.first[g] == nil {
					continue
				}
				p := a.first[payment].partition
				if b.first[payment].partition != p || a.first[g].partition != p || b.first[g].partition != p {
					continue
				}
				if b.first[payment].offset > a.first[payment].offset && b.first[g].offset < a.first[g].offset {
					out = true
				}
			}
		}
		if out {
			c.OutOfOrder++
			is(KindOutOfOrder, a.id)
		}
	}
	return c, found
}
