// Package watch keeps a live picture of a cluster, especially while brokers are down. It asks every broker for itself,
// in parallel and with a short deadline, merges what they say, and remembers what was last known of those that
// do not answer. It changes nothing in the cluster but for what its caller asks of it, and draws nothing.
package watch

import (
	"time"

	"kassa/kafkaops"
)

// Health is what is known of a broker. Unknown is not Down: Down needs evidence (the process has ended, or the
// connection is refused).
type Health uint8

// The states of a broker, from the view of a client.
const (
	Unknown  Health = iota // no answer and no evidence why
	Starting               // its process runs and it has not answered yet
	Up                     // it answers, and the cluster counts it as alive
	Fenced                 // registered, but the controller has stopped counting on it (KIP-631)
	Paused                 // its process is stopped and keeps its connections
	Down                   // its process has ended, or the connection is refused
	Cut                    // its process runs, and its network is cut off
)

// String names the state as the screen shows it.
func (h Health) String() string {
	return [...]string{"unknown", "starting", "up", "fenced", "paused", "down", "cut"}[h]
}

// State is what was known of the cluster at one moment. It is immutable: nobody changes one after it was handed out.
type State struct {
	At        time.Time // when this picture was put together
	ClusterID string

	Nodes      []Node      // sorted by id; those that are down stay in the list
	Quorum     Quorum      // the KRaft quorum
	Partitions []Partition // of the watched topics, sorted by topic (in the order asked for), then by number
	Groups     []Group     // consumer groups, sorted by name

	// Others are the partitions of all topics that are not watched, while somebody wants them (Watcher.WatchOthers): sorted by topic, the internal ones
	// last. They are asked for at a slower pace and of one broker only. As long as nothing about them changes, it is the same slice.
	Others      []Partition
	OthersSeen  time.Time     // when a broker last confirmed Others; zero until one has
	OthersEvery time.Duration // how often they are asked for at present; 0 while nobody wants them
}

// Node is one broker.
type Node struct {
	ID      int32
	Addr    string // host:port for clients
	Health  Health
	Since   time.Time // when Health took its present value, as far as the watcher saw it
	Seen    time.Time // the last time this broker itself answered; zero if it never did
	Process kafkaops.Process
	PID     int
	Can     []kafkaops.Verb // the faults that its provider can do to it; to be read only
	Err     string          // why the last query failed; empty after an answer

	Leads int // watched partitions that it leads now
	Led   int // watched partitions that it led when it was last up (for brokers that are not)
	Voter bool
	// LogEnd is the end offset of its copy of the metadata log as the quorum's leader last saw it; -1 if unknown.
	LogEnd int64
	Lag    int64 // records of the metadata log that it lacks, -1 if unknown
}

// Quorum is the KRaft quorum, from DescribeQuorum (Kafka's protocol key 55). Leader is the active controller:
// the controller field of a Metadata answer is, on KRaft, any live broker.
type Quorum struct {
	Leader        int32 // node id; -1 when no broker could say
	Epoch         int32
	HighWatermark int64
	Voters        []Replica
	Observers     []Replica
	Seen          time.Time // when a broker last answered this
	// Known is false until the first answer, and after it while fewer than a majority of the voters are up.
	Known bool
	// Lost says that there is no quorum: so many voters are gone, by evidence, that the others are no majority, and since then nobody has told of a leader.
	// Where it is neither Known nor Lost, voters are silent that would make a majority: nobody can say.
	Lost bool
}

// Replica is a voter or observer of the quorum.
type Replica struct {
	ID           int32
	LogEnd       int64
	Lag          int64     // records behind the leader's log end
	LastFetch    time.Time // zero if unknown
	LastCaughtUp time.Time // zero if unknown
}

// Partition is one partition of a watched topic: the leader with the highest leader epoch that any broker told, and
// the ISR from the broker that is furthest in the metadata log.
type Partition struct {
	Topic    string
	ID       int32
	Leader   int32 // -1: it has none
	Epoch    int32 // leader epoch
	Replicas []int32
	ISR      []int32
	ELR      []int32 // eligible leader replicas (KIP-966); nil when not asked or none
	Offline  []int32
	MinISR   int       // min.insync.replicas; 0 if unknown
	Moved    time.Time // when the watcher last saw Leader change; zero if it never did
	From     int32     // the leader before Moved; -1 if there was none
	Seen     time.Time // when a broker last confirmed this
	Internal bool
}

// Preferred is the first replica: the leader that the partition was given when it was made. -1 if unknown.
func (p Partition) Preferred() int32 {
	if len(p.Replicas) == 0 {
		return -1
	}
	return p.Replicas[0]
}

// UnderReplicated says that a replica is missing from the ISR.
func (p Partition) UnderReplicated() bool { return len(p.ISR) < len(p.Replicas) }

// UnderMinISR says that acks=all is refused: fewer replicas are in sync than min.insync.replicas asks for.
func (p Partition) UnderMinISR() bool { return p.MinISR > 0 && len(p.ISR) < p.MinISR }

// Unavailable says that nobody can read or write the partition: it has no leader, or one that is down.
func (s *State) Unavailable(p Partition) bool {
	return p.Leader < 0 || s.healthOf(p.Leader) == Down
}

// Group is a consumer group.
type Group struct {
	Name        string
	Type        string // "classic", "consumer" (KIP-848), "share", "streams" …; empty until it was listed
	State       string // "Stable", "PreparingRebalance", "Empty" … in Kafka's words
	Protocol    string // how partitions are assigned: "range", "cooperative-sticky", "uniform" …
	Epoch       int32  // of the group, where its type has one; 0 otherwise
	Coordinator int32  // -1 if unknown
	Members     []Member
	Opaque      bool // there is no telling its members: its type is newer than this program
	Lag         []PartitionLag
	Rebalances  int       // seen since the watcher started
	Rebalanced  time.Time // when the last of them was seen; zero if none was
	Seen        time.Time // when it was last described
	Err         string    // why the last attempt failed
}

// TotalLag is the sum over its partitions, in records; -1 if no partition's lag is known.
func (g Group) TotalLag() int64 {
	total := int64(-1)
	for _, l := range g.Lag {
		if l.Lag >= 0 {
			total = max(total, 0) + l.Lag
		}
	}
	return total
}

// Member is one member of a group.
type Member struct {
	ID       string
	ClientID string
	Host     string
	Assigned map[string][]int32 // partitions by topic
}

// PartitionLag is how far a group is behind in one partition, in records. What is unknown is -1, and so are Committed and
// Lag where the group has not committed yet.
type PartitionLag struct {
	Topic     string
	Partition int32
	Committed int64
	End       int64
	Lag       int64
}

// Node returns the node with this id.
func (s *State) Node(id int32) (Node, bool) {
	for _, n := range s.Nodes {
		if n.ID == id {
			return n, true
		}
	}
	return Node{}, false
}

// Count is the number of nodes in this state of health.
func (s *State) Count(h Health) int {
	c := 0
	for _, n := range s.Nodes {
		if n.Health == h {
			c++
		}
	}
	return c
}

// UnderReplicated is the number of watched partitions that lack a replica.
func (s *State) UnderReplicated() int {
	c := 0
	for _, p := range s.Partitions {
		if p.UnderReplicated() {
			c++
		}
	}
	return c
}

// UnderMinISR is the number of watched partitions that refuse writes with acks=all.
func (s *State) UnderMinISR() int {
	c := 0
	for _, p := range s.Partitions {
		if p.UnderMinISR() {
			c++
		}
	}
	return c
}

// Offline is the number of watched partitions that nobody can read or write.
func (s *State) Offline() int {
	c := 0
	for _, p := range s.Partitions {
		if s.Unavailable(p) {
			c++
		}
	}
	return c
}
