package tail

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Reading by pages: so many records from a place on, in order of time over all partitions, and more only when they are asked for. Eyes can follow that where a
// log of millions would fly past. It ends where the log ends; from there on the tail is like any other.

const (
	pageAhead = 16 << 20 // bytes read and not yet handed out from which on only partitions without any are read
	pagePart  = 1000     // records of one partition, likewise
	// pageQuiet is how long a partition is waited for that ought to have more, and gives nothing: its leader may be gone.
	pageQuiet = time.Second
)

// page is how far a partition has been read.
type page struct {
	end     int64 // of its log, as last fetched
	read    int64 // offset after the last that was fetched
	given   int64 // offset after the last that was handed out
	ahead   []Record
	quiet   time.Time // since when it is waited for; zero: it is not
	stopped bool
}

func (p *page) finished() bool { return len(p.ahead) == 0 && p.read >= p.end }

type pager struct {
	*reading
	topic  string
	pages  map[int32]*page
	bytes  int // in all that is read ahead
	budget int // records that may be handed out
}

// runPages reads by pages until the end of the log is reached, or the topic is gone.
func (r *reading) runPages(ctx context.Context) {
	p := &pager{reading: r, topic: r.cfg.Topics[0], pages: make(map[int32]*page), budget: r.cfg.Page}
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.more:
			if p.budget == 0 {
				p.budget = r.cfg.Page
				for _, part := range p.pages {
					part.quiet = time.Time{}
				}
				r.pace.Reset(0)
			}
			continue
		case <-r.pace.C:
		}
		r.begin(ctx)
		for id, at := range r.begun.placed(p.topic) {
			if p.pages[id] == nil {
				p.pages[id] = &page{end: at.end, read: at.at, given: at.at}
			}
		}
		now := time.Now()
		if p.budget > 0 && (!p.ready(now) || p.empty()) {
			fetches, open := r.poll(ctx)
			if !open {
				return
			}
			now = time.Now()
			p.take(fetches, now)
			if r.again(fetches, now) {
				return // it is another log now, if any
			}
		}
		p.give(now)
		done := r.begun.pending[p.topic] == nil
		for _, part := range p.pages {
			done = done && part.finished()
		}
		r.kept.held(p.topic, p.budget == 0 && !done, p.behind())
		if p.budget == 0 && !done {
			r.pace.Reset(pageQuiet) // nothing is read until more is asked for
			if deleted(ctx, r.client, p.topic) {
				r.lost(p.topic, now)
				return
			}
		} else {
			r.listener.listen(r.kept, now)
		}
		r.kept.lapse(now.Add(-errorLasts))
		r.offer(now)
		if done {
			r.pace.Reset(r.cfg.Every)
			return
		}
	}
}

// ready says that the next record by time is known: every partition has one, or has no more, or is not waited for.
func (p *pager) ready(now time.Time) bool {
	if p.begun.pending[p.topic] != nil && len(p.pages) == 0 {
		return false
	}
	for _, part := range p.pages {
		switch {
		case len(part.ahead) > 0, part.finished():
			part.quiet = time.Time{}
		case part.quiet.IsZero():
			part.quiet = now
			return false
		case now.Sub(part.quiet) < pageQuiet:
			return false
		}
	}
	return len(p.pages) > 0
}

// empty says that nothing is read ahead.
func (p *pager) empty() bool {
	for _, part := range p.pages {
		if len(part.ahead) > 0 {
			return false
		}
	}
	return true
}

// take puts what a fetch brought behind what is there.
func (p *pager) take(fetches kgo.Fetches, now time.Time) {
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		if f.Err != nil && f.Topic != "" {
			p.kept.failed(f.Topic, f.Err, now)
		}
		part := p.pages[f.Partition]
		if f.Topic != p.topic || part == nil {
			return
		}
		if f.Err == nil {
			part.end = max(part.end, f.LastStableOffset)
		}
		for _, r := range f.Records {
			if r.Offset < part.read {
				continue
			}
			part.read = r.Offset + 1
			if !r.Attrs.IsControl() {
				next := copied(r)
				part.ahead = append(part.ahead, next)
				p.bytes += next.Bytes()
			}
		}
	})
	p.brake()
}

// brake bounds what is read ahead.
func (p *pager) brake() {
	for id, part := range p.pages {
		full := len(part.ahead) > 0 && (len(part.ahead) >= pagePart || p.bytes >= pageAhead)
		where := map[string][]int32{p.topic: {id}}
		switch {
		case full && !part.stopped:
			p.client.PauseFetchPartitions(where)
			part.stopped = true
		case part.stopped && (len(part.ahead) == 0 || len(part.ahead) < pagePart/2 && p.bytes < pageAhead/2):
			p.client.ResumeFetchPartitions(where)
			part.stopped = false
		}
	}
}

// give hands out what may be, the oldest first.
func (p *pager) give(now time.Time) {
	for p.budget > 0 && p.ready(now) {
		var oldest *page
		for _, part := range p.pages {
			if len(part.ahead) > 0 && (oldest == nil || part.ahead[0].Time.Before(oldest.ahead[0].Time)) {
				oldest = part
			}
		}
		if oldest == nil {
			break
		}
		r := oldest.ahead[0]
		oldest.ahead[0] = Record{}
		oldest.ahead = oldest.ahead[1:]
		oldest.given = r.Offset + 1
		p.bytes -= r.Bytes()
		p.kept.give(r)
		p.budget--
	}
	for _, part := range p.pages {
		if len(part.ahead) == 0 {
			part.given = part.read
		}
	}
	p.brake()
}

// behind is how many offsets there are to come.
func (p *pager) behind() (n int64) {
	for _, part := range p.pages {
		n += max(0, part.end-part.given)
	}
	return n
}

// deleted asks whether a topic is gone. No answer is none.
func deleted(ctx context.Context, client *kgo.Client, topic string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	list, err := kadm.NewClient(client).ListTopics(ctx, topic)
	return err == nil && isUnknownTopic(list[topic].Err)
}
