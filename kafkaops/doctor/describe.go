package doctor

import (
	"slices"
	"strconv"
	"time"
)

// Cluster is what a cluster said of itself, each part by whoever knows it best. Nothing in it is a verdict.
type Cluster struct {
	ID        string   `json:"id"`
	Bootstrap []string `json:"bootstrap"`
	Brokers   []Broker `json:"brokers"`          // sorted by id; also those that are fenced, or only named by replicas
	Quorum    *Quorum  `json:"quorum,omitempty"` // nil if nobody told
	// QuorumLost is true if brokers answer and have no controller that does.
	QuorumLost bool    `json:"quorumLost,omitempty"`
	Topics     []Topic `json:"topics"` // sorted by name, internal ones too
	Clocks     []Clock `json:"clocks"`
	// Dead are the bootstrap addresses that gave no answer and are no broker's own.
	Dead []Silence `json:"dead,omitempty"`
	// Unseen is what could not be examined, and why. It is not known to be good.
	Unseen []Silence `json:"unseen,omitempty"`
	Probed bool      `json:"writeProbe"` // clocks were measured by writing
}

// Silence is a question without an answer.
type Silence struct {
	Subject string `json:"subject"`
	Why     string `json:"why"`
}

// Broker is one registered broker.
type Broker struct {
	ID       int32              `json:"id"`
	Addr     string             `json:"addr"` // advertised host:port; empty if nobody knows it
	Why      string             `json:"why"`  // why it gave no answer; empty if it did
	Fenced   bool               `json:"fenced"`
	Settings map[string]Setting `json:"settings,omitempty"` // those that the rules look at; nil if they could not be read
}

// Answers says whether the broker spoke for itself.
func (b Broker) Answers() bool { return b.Why == "" }

// Setting is the value that counts, and who set it.
type Setting struct {
	Value  string `json:"value"`
	Source string `json:"source"` // topic, broker, cluster (dynamic), file (the broker's own), default
}

// Quorum is the KRaft quorum, as its leader sees it.
type Quorum struct {
	Leader int32   `json:"leader"`
	Epoch  int32   `json:"epoch"`
	Voters []Voter `json:"voters"`
}

// Voter is a member of the quorum. The times are the leader's, by its own clock.
type Voter struct {
	ID          int32 `json:"id"`
	Lag         int64 `json:"lag"`           // records behind the leader; -1 if it has not fetched
	FetchAgo    int64 `json:"fetchAgoMs"`    // since its last fetch; -1 if it has not fetched from this leader
	CaughtUpAgo int64 `json:"caughtUpAgoMs"` // since it last had everything; -1 if never under this leader
}

// Topic is a topic and what counts for it.
type Topic struct {
	Name       string             `json:"name"`
	Internal   bool               `json:"internal,omitempty"`
	Settings   map[string]Setting `json:"settings,omitempty"` // nil if they could not be read
	Partitions []Partition        `json:"partitions"`
}

// Partition is one partition now.
type Partition struct {
	ID       int32   `json:"id"`
	Leader   int32   `json:"leader"` // -1 if there is none
	Replicas []int32 `json:"replicas"`
	ISR      []int32 `json:"isr"`
	Writers  Writers `json:"writers"`
}

// Writers is what a partition knows of those who wrote to it.
type Writers struct {
	Known     bool       `json:"known"`          // the leader was asked, and answered
	Producers int        `json:"producers"`      // producer ids that the leader keeps, about a day
	Recent    int        `json:"recent"`         // of the last data batches, those looked at
	Plain     int        `json:"plain"`          // of these, those without a producer id
	Last      *time.Time `json:"last,omitempty"` // the youngest timestamp in Recent, mostly the producer's clock
}

// Clock is a broker's clock against that of this machine.
type Clock struct {
	Node  int32 `json:"node"`
	Ahead int64 `json:"aheadMs"` // negative if it is behind
	Error int64 `json:"errorMs"` // half the round trip, and the ms that timestamps are cut to
}

// copies is the least number of replicas in any partition, 0 without partitions.
func (t Topic) copies() int {
	least := 0
	for i, p := range t.Partitions {
		if i == 0 || len(p.Replicas) < least {
			least = len(p.Replicas)
		}
	}
	return least
}

// number reads a numeric setting; -1 if it is not known.
func number(settings map[string]Setting, key string) int {
	n, err := strconv.Atoi(settings[key].Value)
	if err != nil {
		return -1
	}
	return n
}

// missing are the replicas that are not in sync.
func (p Partition) missing() []int32 {
	var out []int32
	for _, r := range p.Replicas {
		if !slices.Contains(p.ISR, r) {
			out = append(out, r)
		}
	}
	return out
}

func (c *Cluster) topic(name string) *Topic {
	for i := range c.Topics {
		if c.Topics[i].Name == name {
			return &c.Topics[i]
		}
	}
	return nil
}

// settings are those of the first broker that told them, for what is meant to be the same everywhere.
func (c *Cluster) settings() map[string]Setting {
	for _, b := range c.Brokers {
		if b.Settings != nil {
			return b.Settings
		}
	}
	return nil
}
