package tail

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"kassa/kafkaops"
	"kassa/kafkaops/embedded"
)

// Every topic is listed with what matters about it, Kafka's own last.
func TestTopicsAreListed(t *testing.T) {
	c, err := embedded.Start(t.Context(), embedded.Config{Ports: []int{freePort(t), freePort(t), freePort(t)}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	adm := kadm.NewClient(clientOf(t, c.Bootstrap()))
	for name, factor := range map[string]int16{"zebra": 3, "ape": 2} {
		if _, err := adm.CreateTopic(t.Context(), 4, factor, nil, name); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = adm.FetchOffsets(t.Context(), "g") // there is no such group, and __consumer_offsets from now on
	list, err := NewLog(kafkaops.ClientOptions(c.Bootstrap())).Topics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range list {
		names = append(names, l.Name)
	}
	if !slices.Equal(names, []string{"ape", "zebra", "__consumer_offsets"}) || !list[2].Internal || list[1].Internal {
		t.Fatalf("listed %+v", list)
	}
	if l := list[0]; l.Partitions != 4 || l.Replication != 2 || l.UnderReplicated != 0 || l.Leaderless != 0 {
		t.Errorf("listed %+v", l)
	}
	if err := c.Do(t.Context(), kafkaops.Fault{Verb: kafkaops.Kill, Node: 1}); err != nil {
		t.Fatal(err)
	}
	for list[1].UnderReplicated != 4 { // once the broker is fenced
		if list, err = NewLog(kafkaops.ClientOptions(c.Bootstrap())).Topics(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// An opened topic begins at its end and grows, or is read by pages.
func TestOpen(t *testing.T) {
	c, cl := cluster(t, "a")
	produce(t, cl, numbered("a", 0, PageSize+10)...)
	log := NewLog(kafkaops.ClientOptions(c.ListenAddrs()))
	open := func(from From) *Tailer {
		tl, err := log.Open("a", from)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(tl.Close)
		return tl
	}
	first := open(Beginning())
	if records, _ := until(t, first, func(_ []Record, c map[string]Count) bool { return c["a"].Held }); len(records) != PageSize {
		t.Errorf("a page of %d", len(records))
	}
	last := open(End())
	until(t, last, func([]Record, map[string]Count) bool { return true })
	produce(t, cl, numbered("a", 0, 3)...)
	if records, _ := until(t, last, read("a", 3)); len(records) != 3 {
		t.Errorf("%d records, want the 3 that came", len(records))
	}
}
