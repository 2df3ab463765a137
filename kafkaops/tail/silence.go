package tail

import (
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Silence is partitions of which nothing is heard: nobody leads them, or their leader answers no fetch. A quiet topic is not silent, for its leaders answer that
// there is nothing.
type Silence struct {
	Leader     int32 // -1: they have none
	Partitions []int32
	Since      time.Time // when the leader last answered, or when it was first seen that there is none
}

const (
	// silentAfter is longer than a fetch waits for records and this reader for its next poll.
	silentAfter  = time.Second
	listenEvery  = 500 * time.Millisecond
	partitionsOf = 10_000 // of one topic, at most
)

// hearing notes when each broker last answered a fetch. It is a hook of the client.
type hearing struct {
	mu   sync.Mutex
	last map[int32]time.Time
}

var _ kgo.HookBrokerRead = (*hearing)(nil)

// OnBrokerRead implements kgo.HookBrokerRead.
func (h *hearing) OnBrokerRead(meta kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, err error) {
	if err != nil || key != int16(kmsg.Fetch) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last[meta.NodeID] = time.Now()
}

// listener tells silences from what was heard and from who leads.
type listener struct {
	client *kgo.Client
	heard  *hearing
	began  time.Time // what was never heard is silent since then
	lost   map[string]map[int32]time.Time
	next   time.Time
}

// listen brings the silences of every topic up to date.
func (l *listener) listen(k *keeper, now time.Time) {
	if now.Before(l.next) {
		return
	}
	l.next = now.Add(listenEvery)
	for _, name := range k.order {
		t := k.topics[name]
		t.known = t.known || there(l.client, name)
		silent := l.silences(name, now)
		if !sameSilence(t.count.Silent, silent) {
			k.news = true
		}
		t.count.Silent = silent
	}
}

// silences are those of one topic, by leader.
func (l *listener) silences(topic string, now time.Time) (list []Silence) {
	l.heard.mu.Lock()
	defer l.heard.mu.Unlock()
	lost := l.lost[topic]
	add := func(leader, partition int32, since time.Time) {
		i := slices.IndexFunc(list, func(s Silence) bool { return s.Leader == leader })
		if i < 0 {
			i, list = len(list), append(list, Silence{Leader: leader, Since: since})
		}
		list[i].Partitions = append(list[i].Partitions, partition)
		if since.Before(list[i].Since) {
			list[i].Since = since
		}
	}
	for p := range int32(partitionsOf) {
		leader, epoch, err := l.client.PartitionLeader(topic, p)
		if leader < 0 && epoch < 0 && (err == nil || isUnknownTopic(err)) {
			break // there are no more
		}
		if leader < 0 {
			since, known := lost[p]
			if !known {
				since = now
				if lost == nil {
					lost = make(map[int32]time.Time)
					l.lost[topic] = lost
				}
				lost[p] = now
			}
			if now.Sub(since) >= silentAfter {
				add(-1, p, since)
			}
			continue
		}
		delete(lost, p)
		since, ever := l.heard.last[leader]
		if !ever {
			since = l.began
		}
		if now.Sub(since) >= silentAfter {
			add(leader, p, since)
		}
	}
	slices.SortFunc(list, func(a, b Silence) int { return int(a.Leader) - int(b.Leader) })
	return list
}

func sameSilence(a, b []Silence) bool {
	return slices.EqualFunc(a, b, func(a, b Silence) bool {
		return a.Leader == b.Leader && slices.Equal(a.Partitions, b.Partitions)
	})
}

// there says that the client knows of partitions of the topic.
func there(client *kgo.Client, topic string) bool {
	leader, epoch, _ := client.PartitionLeader(topic, 0)
	return leader >= 0 || epoch >= 0
}
