package watch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/kafkaops"
)

// manyTopics is an answer about n topics of 10 partitions on three brokers.
func manyTopics(n int, lead func(topic, partition int) int32) kadm.Metadata {
	md := kadm.Metadata{Cluster: "c", Topics: make(kadm.TopicDetails, n)}
	for _, id := range all {
		md.Brokers = append(md.Brokers, kadm.BrokerDetail{NodeID: id})
	}
	for i := range n {
		name := fmt.Sprintf("topic-%04d", i)
		t := kadm.TopicDetail{Topic: name, ID: kadm.TopicID{byte(i), byte(i >> 8)}, Partitions: kadm.PartitionDetails{}}
		for p := range 10 {
			leader := lead(i, p)
			t.Partitions[int32(p)] = kadm.PartitionDetail{Topic: name, Partition: int32(p), Leader: leader, LeaderEpoch: 1, Replicas: []int32{1, 2, 3}, ISR: []int32{1, 2, 3}}
		}
		md.Topics[name] = t
	}
	return md
}

func spread(topic, partition int) int32 { return int32((topic+partition)%3 + 1) }

// What is not watched is kept apart from what is, by topic, with the internal topics last; and it stays the same slice until something changes.
func TestOthersAreKeptApart(t *testing.T) {
	m := newModel([]string{"topic-0001"})
	md := manyTopics(3, spread)
	internal := md.Topics["topic-0000"]
	internal.IsInternal = true
	md.Topics["topic-0000"] = internal
	md.Topics["gone"] = kadm.TopicDetail{Topic: "gone", Err: kerr.UnknownTopicOrPartition}
	at := time.Unix(1000, 0)
	m.setOthers(md, map[string]int{"topic-0002": 2}, at, time.Second)
	first := m.merge(at)
	if len(first.Partitions) != 0 || len(first.Others) != 20 || first.Others[0].Topic != "topic-0002" || first.Others[19].Topic != "topic-0000" || !first.Others[19].Internal {
		t.Fatalf("%d watched, %d others", len(first.Partitions), len(first.Others))
	}
	if p := first.Others[3]; p.ID != 3 || p.MinISR != 2 || p.From != -1 || !p.Moved.IsZero() || !first.OthersSeen.Equal(at) {
		t.Errorf("%+v", p)
	}
	m.setOthers(md, map[string]int{"topic-0002": 2}, at.Add(time.Second), time.Second)
	if second := m.merge(at); !sameSlice(first.Others, second.Others) || differs(first, second) || !second.OthersSeen.After(first.OthersSeen) {
		t.Error("nothing has changed, and the list is another one")
	}
	m.setOthers(manyTopics(3, func(topic, p int) int32 {
		if topic == 2 && p == 3 {
			return 9
		}
		return spread(topic, p)
	}), nil, at.Add(2*time.Second), time.Second)
	third := m.merge(at)
	if sameSlice(first.Others, third.Others) || !differs(first, third) {
		t.Fatal("a leader moved unseen")
	}
	i := slices.IndexFunc(third.Others, func(p Partition) bool { return p.Topic == "topic-0002" && p.ID == 3 })
	if p := third.Others[i]; p.Leader != 9 || p.From != spread(2, 3) || !p.Moved.Equal(at.Add(2*time.Second)) {
		t.Errorf("%+v", p)
	}
	if f, err := third.Resolve(kafkaops.Fault{Verb: kafkaops.Kill, Role: kafkaops.LeaderOf("topic-0002", 3)}); f.Node != 9 || err != nil {
		t.Errorf("its leader is %v, %v", f, err)
	}
}

// All topics of the cluster come while they are wanted, and go when they are not; whoever is asked may die.
func TestOthersComeWhileTheyAreWanted(t *testing.T) {
	c := fake(t)
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for i := range 20 {
		if _, err := adm.CreateTopic(ctx, 5, 1, map[string]*string{"min.insync.replicas": kadm.StringPtr("2")}, fmt.Sprintf("other-%02d", i)); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			t.Fatal(err)
		}
	}
	s := sourceOf(addresses(t, c)...)
	w := watching(t, s, Config{Topics: []string{"a"}})
	until(t, w, "it is up", func(s *State) bool { return s.Count(Up) == len(s.Nodes) })
	if got := w.State(); got.Others != nil || got.OthersEvery != 0 {
		t.Fatalf("%d partitions that nobody asked for", len(got.Others))
	}
	w.WatchOthers(true)
	got := until(t, w, "the others are there", func(s *State) bool { return len(s.Others) >= 100 && s.Others[0].MinISR > 0 })
	i := slices.IndexFunc(got.Others, func(p Partition) bool { return p.Topic == "other-01" && p.ID == 2 })
	if p := got.Others[i]; p.Topic != "other-01" || p.ID != 2 || p.MinISR != 2 || p.Leader < 0 || got.OthersEvery < othersEvery {
		t.Errorf("%+v, every %s", p, got.OthersEvery)
	}
	for _, p := range got.Others {
		if p.Topic == "a" {
			t.Error("what is watched is among the others")
		}
	}
	s.process(got.Nodes[0].ID, kafkaops.ProcessExited)
	seen := got.OthersSeen
	until(t, w, "they are confirmed by another broker", func(s *State) bool { return s.OthersSeen.After(seen) && s.Nodes[0].Health == Down })
	w.WatchOthers(false)
	until(t, w, "they are gone", func(s *State) bool { return s.Others == nil && s.OthersEvery == 0 })
}

// A partition is found wherever it is in the other list.
func TestPartitionIndex(t *testing.T) {
	list := []Partition{{Topic: "a", ID: 0}, {Topic: "a", ID: 1}, {Topic: "b", ID: 0}}
	x := indexOf(list)
	for guess := range 4 {
		for _, want := range list {
			if got := x.find(guess, want.Topic, want.ID); got == nil || got.Topic != want.Topic || got.ID != want.ID {
				t.Errorf("%s/%d from %d: %+v", want.Topic, want.ID, guess, got)
			}
		}
		if x.find(guess, "c", 0) != nil {
			t.Error("found what is not there")
		}
	}
}

func tenThousand(b *testing.B) (*model, kadm.Metadata, *State, *State) {
	b.Helper()
	m, md := newModel(nil), manyTopics(1000, spread)
	for _, id := range all {
		m.nodes = append(m.nodes, kafkaops.Node{ID: id, Process: kafkaops.ProcessRunning})
		m.answered(id, md, time.Unix(1, 0))
	}
	before := m.merge(time.Unix(1, 0))
	if len(before.Partitions) != 10_000 {
		b.Fatalf("%d partitions", len(before.Partitions))
	}
	m.answered(1, md, time.Unix(2, 0))
	return m, md, before, m.merge(time.Unix(2, 0))
}

func BenchmarkDiff10000(b *testing.B) {
	_, _, before, after := tenThousand(b)
	b.ReportAllocs()
	for b.Loop() {
		if Diff(before, after) != nil {
			b.Fatal("something has changed")
		}
	}
}

func BenchmarkMerge10000(b *testing.B) {
	m, md, _, _ := tenThousand(b)
	b.ReportAllocs()
	for b.Loop() {
		m.answered(1, md, time.Unix(3, 0))
		m.merge(time.Unix(3, 0))
	}
}

func BenchmarkOthers10000(b *testing.B) {
	m, md := newModel([]string{"a"}), manyTopics(1000, spread)
	b.ReportAllocs()
	for b.Loop() {
		m.setOthers(md, nil, time.Unix(3, 0), time.Second)
	}
}
