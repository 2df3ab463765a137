package kafkaops_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"kassa/kafkaops"
)

// Brokers of another cluster that took the ports first are not taken for ours.
func TestProberKnowsItsCluster(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.ClusterID("theirs"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for id, want := range map[string]int{"": 3, "theirs": 3, "ours": 0} {
		p, err := kafkaops.NewProber(c.ListenAddrs())
		if err != nil {
			t.Fatal(err)
		}
		p.Expect(id)
		if got := p.Known(t.Context(), 0); got != want {
			t.Errorf("expecting %q it knows %d brokers, want %d", id, got, want)
		}
		p.Close()
	}
}
