package watch

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"kassa/kafkaops"
)

// bench is a model of three brokers with one topic of three partitions, told about by hand.
type bench struct {
	*model
	now time.Time
	s   *State
}

var errRefused = &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}

func newBench() *bench {
	b := &bench{model: newModel([]string{"a"}), now: time.Unix(1_000, 0)}
	b.process(1, kafkaops.ProcessRunning)
	return b
}

// process sets the state of one broker's process; those that were never set run.
func (b *bench) process(id int32, p kafkaops.Process) {
	nodes := slices.Clone(b.nodes)
	if len(nodes) == 0 {
		for i := range int32(3) {
			nodes = append(nodes, kafkaops.Node{ID: i + 1, Addr: fmt.Sprintf("b%d:9092", i+1), Process: kafkaops.ProcessRunning, PID: int(100 + i)})
		}
	}
	nodes[id-1].Process = p
	b.setNodes(nodes)
}

// says files an answer of one broker: which are alive, and for each partition leader, epoch and ISR.
func (b *bench) says(id int32, alive []int32, parts ...kadm.PartitionDetail) {
	b.model.answered(id, metadata(alive, parts...), b.now)
}

func metadata(alive []int32, parts ...kadm.PartitionDetail) kadm.Metadata {
	md := kadm.Metadata{Cluster: "c", Topics: kadm.TopicDetails{}}
	for _, id := range alive {
		md.Brokers = append(md.Brokers, kadm.BrokerDetail{NodeID: id, Host: fmt.Sprintf("b%d", id), Port: 9092})
	}
	t := kadm.TopicDetail{Topic: "a", ID: kadm.TopicID{1}, Partitions: kadm.PartitionDetails{}}
	for i, p := range parts {
		p.Topic, p.Partition, p.Replicas = "a", int32(i), []int32{1, 2, 3}
		t.Partitions[int32(i)] = p
	}
	md.Topics["a"] = t
	return md
}

func led(leader, epoch int32, isr ...int32) kadm.PartitionDetail {
	return kadm.PartitionDetail{Leader: leader, LeaderEpoch: epoch, ISR: isr}
}

// votes files what the quorum's leader says; ends are the log ends of voters 1, 2 and 3.
func (b *bench) votes(leader, epoch int32, ends ...int64) {
	q := Quorum{Leader: leader, Epoch: epoch, Seen: b.now}
	for i, end := range ends {
		q.Voters = append(q.Voters, Replica{ID: int32(i + 1), LogEnd: end})
	}
	b.voted(leader, ballot{told: true, direct: true, quorum: q})
}

func (b *bench) look() *State {
	b.now = b.now.Add(100 * time.Millisecond)
	b.s = b.merge(b.now)
	return b.s
}

var all = []int32{1, 2, 3}

// healthy brings the bench to where all is well; broker 1 leads partition 0 and the quorum, 2 leads partition 1.
func healthy() *bench {
	b := newBench()
	for _, id := range all {
		b.says(id, all, led(1, 5, 1, 2, 3), led(2, 7, 1, 2, 3))
	}
	b.votes(1, 3, 100, 100, 100)
	b.look()
	b.votes(1, 3, 100, 100, 100)
	b.look()
	return b
}

func (b *bench) want(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func (b *bench) healths() string {
	var out []string
	for _, n := range b.s.Nodes {
		out = append(out, n.Health.String())
	}
	return fmt.Sprint(out)
}

func TestAllIsWell(t *testing.T) {
	b := healthy()
	b.want(t, "health", b.healths(), "[up up up]")
	b.want(t, "known", b.s.Quorum.Known, true)
	b.want(t, "leads", []int{b.s.Nodes[0].Leads, b.s.Nodes[1].Leads, b.s.Nodes[2].Leads}, "[1 1 0]")
	b.want(t, "moved", b.s.Partitions[0].Moved.IsZero(), true)
}

// The ports that a container publishes go with its network: a client is refused by a broker that runs, and that is no evidence afterwards.
func TestABrokerWhoseNetworkIsCutIsNotDown(t *testing.T) {
	b := healthy()
	b.process(2, kafkaops.ProcessCut)
	b.failed(2, errRefused)
	b.look()
	b.want(t, "health", b.healths(), "[up cut up]")
	b.want(t, "quorum", b.s.Quorum.Known, true)
	b.process(1, kafkaops.ProcessCut)
	b.look()
	b.want(t, "quorum without a majority", b.s.Quorum.Known, false)

	b.failed(2, errRefused)
	b.process(2, kafkaops.ProcessRunning)
	b.look()
	b.want(t, "before its first answer", b.healths(), "[cut cut up]")
	b.says(2, all, led(1, 5, 1, 2, 3), led(2, 7, 1, 2, 3))
	b.look()
	b.want(t, "after it", b.healths(), "[cut up up]")
}

func TestAKilledBrokerStaysWithWhatItLed(t *testing.T) {
	b := healthy()
	b.process(2, kafkaops.ProcessExited)
	b.failed(2, errRefused)
	b.look()
	n := b.s.Nodes[1]
	b.want(t, "health", b.healths(), "[up down up]")
	b.want(t, "leads, led", []int{n.Leads, n.Led}, "[0 1]")
	b.want(t, "leader as the metadata has it", b.s.Partitions[1].Leader, 2)
	b.want(t, "quorum", b.s.Quorum.Known, true)

	b.says(1, []int32{1, 3}, led(1, 5, 1, 3), led(3, 8, 1, 3)) // fenced: only broker 1 has heard of it yet
	b.look()
	p := b.s.Partitions[1]
	b.want(t, "new leader, epoch, from", []int32{p.Leader, p.Epoch, p.From}, "[3 8 2]")
	b.want(t, "moved", p.Moved, b.now)
	b.want(t, "ISR", p.ISR, "[1 3]")
	b.want(t, "led", b.s.Nodes[1].Led, 1)
}

// The ELR is asked for less often than the ISR: what has come back to the ISR is not eligible beside it.
func TestAReplicaIsNotEligibleAndInSyncAtOnce(t *testing.T) {
	b := healthy()
	for _, id := range all {
		b.says(id, all, led(1, 5, 1, 2), led(2, 7, 1, 2, 3))
		b.detailed(id, details{elr: map[topicPartition][]int32{{"a", 0}: {3}, {"a", 1}: {3}}})
	}
	b.look()
	b.want(t, "eligible", b.s.Partitions[0].ELR, "[3]")
	b.want(t, "eligible and back in sync", b.s.Partitions[1].ELR, "[]")
}

func TestAResumedBrokerAnswersFromThePastAndIsNotBelieved(t *testing.T) {
	old := []kadm.PartitionDetail{led(1, 5, 1, 2, 3), led(2, 7, 1, 2, 3)}
	for _, c := range []struct {
		name string
		now  []kadm.PartitionDetail // what the cluster says meanwhile
		ends []int64
	}{
		{"a leader has moved", []kadm.PartitionDetail{led(1, 5, 1, 3), led(3, 8, 1, 3)}, []int64{103, 100, 103}},
		{"only ISRs have changed, long ago", []kadm.PartitionDetail{led(1, 5, 1, 3), led(2, 7, 1, 3)}, []int64{200, 100, 200}},
		{"only ISRs have changed, just now", []kadm.PartitionDetail{led(1, 5, 1, 3), led(2, 7, 1, 3)}, []int64{103, 100, 103}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := healthy()
			b.process(2, kafkaops.ProcessPaused)
			b.look()
			b.want(t, "health", b.healths(), "[up paused up]")
			b.says(1, []int32{1, 3}, c.now...)
			b.says(3, []int32{1, 3}, c.now...)
			b.votes(1, 3, c.ends...)
			b.look()

			b.process(2, kafkaops.ProcessRunning)
			b.says(2, all, old...)
			b.look()
			b.want(t, "health", b.healths(), "[up fenced up]")
			b.want(t, "ISR", b.s.Partitions[0].ISR, "[1 3]")
			b.want(t, "leader", b.s.Partitions[1].Leader, c.now[1].Leader)
		})
	}
}

func TestTheBrokerFurthestInTheMetadataLogIsBelieved(t *testing.T) {
	for _, c := range []struct {
		name   string
		source int32 // believed so far
		set    func(*bench)
		want   int32
	}{
		{"who knows of a leader change is further, whatever the log ends say", 2, func(b *bench) {
			b.says(3, all, led(1, 5, 1, 2, 3), led(3, 8, 1, 3))
			b.votes(1, 3, 100, 100, 50)
		}, 3},
		{"even if it answers no more", 2, func(b *bench) {
			b.says(3, all, led(1, 5, 1, 2, 3), led(3, 8, 1, 3))
			b.failed(3, errRefused)
		}, 3},
		{"then whose log is longer", 2, func(b *bench) { b.votes(1, 3, 200, 100, 100) }, 1},
		{"a few records are no difference", 2, func(b *bench) { b.votes(1, 3, 105, 100, 100) }, 2},
		{"then who answers now", 2, func(b *bench) { b.failed(2, errRefused) }, 1},
		{"then the one believed so far, if it comes first", 1, func(*bench) {}, 1},
		{"in the middle", 2, func(*bench) {}, 2},
		{"or last", 3, func(*bench) {}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := healthy()
			b.source = c.source
			c.set(b)
			if got := b.believe(); got != c.want {
				t.Errorf("broker %d, want %d", got, c.want)
			}
		})
	}
}

func TestAStaleBrokerThatIsTheLastOneIsNotBelievedEither(t *testing.T) {
	b := healthy()
	b.process(2, kafkaops.ProcessPaused)
	for _, id := range []int32{1, 3} {
		b.says(id, []int32{1, 3}, led(1, 5, 1, 3), led(3, 8, 1, 3))
	}
	b.votes(1, 3, 200, 100, 200)
	b.look()
	for _, id := range []int32{1, 3} {
		b.process(id, kafkaops.ProcessExited)
		b.failed(id, errRefused)
	}
	b.process(2, kafkaops.ProcessRunning)
	b.says(2, all, led(1, 5, 1, 2, 3), led(2, 7, 1, 2, 3))
	b.look()
	b.want(t, "leader and ISR as last known", []any{b.s.Partitions[1].Leader, b.s.Partitions[1].ISR}, "[3 [1 3]]")
	b.want(t, "quorum", b.s.Quorum.Known, false)
	b.want(t, "health", b.healths(), "[down up down]")
}

func TestWithoutAQuorumFencedFlagsSayNothing(t *testing.T) {
	b := healthy()
	for _, id := range []int32{1, 3} {
		b.process(id, kafkaops.ProcessExited)
		b.failed(id, errRefused)
	}
	// Frozen a moment after broker 2 itself was fenced, say: it answers, and that decides.
	b.says(2, []int32{1, 3}, led(1, 5, 1, 2, 3), led(2, 7, 1, 2, 3))
	b.detailed(2, details{fenced: map[int32]bool{1: false, 2: true, 3: false}})
	b.look()
	b.want(t, "health", b.healths(), "[down up down]")
	b.want(t, "known, leader as last known", []any{b.s.Quorum.Known, b.s.Quorum.Leader}, "[false 1]")

	b.process(2, kafkaops.ProcessExited)
	b.failed(2, errRefused)
	b.look()
	b.want(t, "all gone", b.healths(), "[down down down]")
	b.want(t, "partitions stay", len(b.s.Partitions), 2)
	b.want(t, "seen", b.s.Partitions[0].Seen.Before(b.now), true)
}

// A busy machine makes voters silent: that they are gone needs evidence, as with brokers.
func TestASilentQuorumIsNotLost(t *testing.T) {
	state := func(b *bench) any { return []bool{b.look().Quorum.Known, b.s.Quorum.Lost} }
	late := errors.New("no answer in time")
	b := healthy()
	for range patience {
		b.want(t, "all is well", state(b), "[true false]")
		b.failed(1, late)
		b.failed(3, late)
	}
	b.want(t, "two of three are silent", state(b), "[false false]")
	b.want(t, "health", b.healths(), "[unknown up unknown]")
	b.says(1, all, led(1, 5, 1, 2, 3), led(2, 7, 1, 2, 3))
	b.votes(1, 3, 100, 100, 100)
	b.look()
	b.votes(1, 3, 100, 100, 100)
	b.want(t, "one answers again", state(b), "[true false]")
	b.process(1, kafkaops.ProcessExited)
	b.failed(1, errRefused)
	b.want(t, "one is gone, one is silent", state(b), "[false false]")
	b.process(3, kafkaops.ProcessPaused)
	b.want(t, "both are gone", state(b), "[false true]")
	b.process(3, kafkaops.ProcessRunning)
	b.failed(3, late)
	b.failed(3, late)
	b.want(t, "silence after that brings it not back", state(b), "[false true]")
	b.says(3, all, led(1, 5, 1, 2, 3), led(2, 7, 1, 2, 3))
	b.look()
	b.want(t, "nor does a majority, before it has a leader", state(b), "[false true]")
	b.votes(3, 4, 120, 120, 120)
	b.want(t, "that does", state(b), "[true false]")
}

func TestTheQuorumIsKnownAgainOnlyWhenItHasSpoken(t *testing.T) {
	b := healthy()
	for _, id := range []int32{1, 3} {
		b.process(id, kafkaops.ProcessExited)
		b.failed(id, errRefused)
	}
	b.look()
	b.process(3, kafkaops.ProcessRunning)
	b.voted(3, ballot{direct: true, quorum: Quorum{Seen: b.now}}) // its controller is there, its broker not yet
	b.look()
	b.want(t, "health", b.healths(), "[down up starting]")
	b.want(t, "known before the election", b.s.Quorum.Known, false)
	b.look()
	b.votes(3, 4, 120, 120, 120)
	b.look()
	b.want(t, "known after it", []any{b.s.Quorum.Known, b.s.Quorum.Leader}, "[true 3]")
}

func TestAnOlderEpochOfTheQuorumIsNotNews(t *testing.T) {
	b := healthy()
	b.votes(3, 4, 120, 120, 120)
	b.votes(1, 3, 121, 100, 100)
	b.look()
	b.want(t, "leader, epoch", []int32{b.s.Quorum.Leader, b.s.Quorum.Epoch}, "[3 4]")
}

func TestATopicMadeAnewIsNotComparedWithItsOldEpochs(t *testing.T) {
	b := healthy()
	fresh := metadata(all, led(3, 0, 1, 2, 3))
	topic := fresh.Topics["a"]
	topic.ID = kadm.TopicID{2}
	fresh.Topics["a"] = topic
	for _, id := range []int32{1, 3} {
		b.model.answered(id, fresh, b.now)
	}
	b.failed(2, errRefused) // it remembers the old one, at epoch 7
	b.look()
	p := b.s.Partitions
	b.want(t, "partitions, leader, epoch", []any{len(p), p[0].Leader, p[0].Epoch}, "[1 3 0]")
}

func TestADeletedTopicGoesAndOneThatCannotBeReadStays(t *testing.T) {
	b := healthy()
	say := func(err error) {
		md := metadata(all)
		md.Topics["a"] = kadm.TopicDetail{Topic: "a", Err: err}
		for _, id := range all {
			b.model.answered(id, md, b.now)
		}
		b.look()
	}
	say(kerr.TopicAuthorizationFailed)
	b.want(t, "partitions as last known", len(b.s.Partitions), 2)
	say(kerr.UnknownTopicOrPartition)
	b.want(t, "partitions of a deleted topic", len(b.s.Partitions), 0)
}

func TestABrokerThatStopsInOrderIsStillSaidToHaveLed(t *testing.T) {
	b := healthy()
	for _, id := range all {
		b.says(id, all, led(1, 5, 1, 2, 3), led(3, 8, 1, 3))
	}
	b.look()
	b.want(t, "leads, led", []int{b.s.Nodes[1].Leads, b.s.Nodes[1].Led}, "[0 1]")
	b.process(2, kafkaops.ProcessExited)
	b.look()
	b.want(t, "led when down", b.s.Nodes[1].Led, 1)
}

func TestBrokersThatOnlyTheClusterKnowsAreInThePicture(t *testing.T) {
	m := newModel(nil)
	m.setNodes(nil)
	m.answered(-2, metadata([]int32{7, 8}, led(7, 1, 7, 8)), time.Unix(1, 0)) // a bootstrap address
	m.setNodes(nil)
	m.answered(8, metadata([]int32{7, 8}, led(7, 1, 7, 8)), time.Unix(1, 0))
	s := m.merge(time.Unix(2, 0))
	if len(s.Nodes) != 2 || s.Nodes[0].Addr != "b7:9092" || s.Nodes[0].Health != Unknown || s.Nodes[1].Health != Up {
		t.Errorf("nodes %+v", s.Nodes)
	}
	m.failed(8, errors.New("timeout"))
	m.answered(7, metadata([]int32{7}, led(7, 1, 7)), time.Unix(3, 0))
	m.setNodes(nil)
	if s = m.merge(time.Unix(4, 0)); len(s.Nodes) != 2 {
		t.Errorf("a broker vanished by dying: %+v", s.Nodes)
	}
}

func TestHealth(t *testing.T) {
	const running, exited, paused, starting, unknown = kafkaops.ProcessRunning, kafkaops.ProcessExited, kafkaops.ProcessPaused, kafkaops.ProcessStarting, kafkaops.ProcessUnknown
	for _, c := range []struct {
		name string
		e    evidence
		want Health
	}{
		{"a process that ended is down whatever was said before", evidence{process: exited, ok: true, quorum: true, listed: true}, Down},
		{"a stopped process is paused, even if it answered just before", evidence{process: paused, ok: true, quorum: true, listed: true}, Paused},
		{"it answers and is counted on", evidence{process: running, ok: true, quorum: true, listed: true}, Up},
		{"it answers and is not counted on", evidence{process: running, ok: true, quorum: true}, Fenced},
		{"it answers, and nobody can unfence it", evidence{process: running, ok: true}, Up},
		{"it runs and has not answered yet", evidence{process: running, refused: true, fails: 9}, Starting},
		{"it is being started", evidence{process: starting}, Starting},
		{"its port is closed again: it is leaving", evidence{process: running, answered: true, refused: true, fails: 1, before: Up}, Down},
		{"a closed port far away is evidence", evidence{process: unknown, refused: true, fails: 1}, Down},
		{"one time-out is no news", evidence{process: unknown, answered: true, fails: 1, before: Up, quorum: true, listed: true}, Up},
		{"silence is not down", evidence{process: unknown, answered: true, fails: 2, before: Up, quorum: true, listed: true}, Unknown},
		{"silence that the controller has noticed", evidence{process: unknown, answered: true, fails: 2, before: Up, quorum: true, fenced: true}, Fenced},
		{"a fenced flag without a quorum is old", evidence{process: unknown, answered: true, fails: 2, before: Up, fenced: true}, Unknown},
		{"resumed and not answered yet", evidence{process: running, answered: true, before: Paused}, Paused},
		{"nothing is known", evidence{}, Unknown},
	} {
		if got := health(c.e); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
