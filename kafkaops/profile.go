package kafkaops

import (
	"fmt"
	"slices"
	"strings"
)

// Setting is one broker setting that differs from what Kafka ships with, or that must not be left to chance.
type Setting struct {
	Key     string // as in server.properties
	Value   string
	Default string // Kafka 4.3's own
	Why     string // the reason, and the measured effect where there is one
}

// Profile is a named set of broker settings, the same for every node. What makes a node that node (its id, listeners and
// directories) is its provider's to add.
type Profile struct {
	Name     string
	Settings []Setting
}

// The names of the profiles, as on the command line.
const (
	ProfileFastFailover = "fast-failover"
	ProfileStock        = "stock"
)

// FastFailover makes a loss cost about a second instead of ten. All effects named here were measured with three nodes on two
// cores, acks=all, min.insync.replicas=2 and one record every 2 ms over six partitions.
func FastFailover() Profile {
	return Profile{Name: ProfileFastFailover, Settings: slices.Concat(safety(), footprint(), failover())}
}

// Stock is Kafka's defaults for everything that failover depends on. What keeps records safe, and what lets three brokers
// share a laptop, is the same as in FastFailover: comparing the two compares failover and nothing else.
func Stock() Profile {
	return Profile{Name: ProfileStock, Settings: slices.Concat(safety(), footprint())}
}

// ProfileByName finds a profile by the name that a person typed. Any other name is a *UserError.
func ProfileByName(name string) (Profile, error) {
	switch name {
	case ProfileFastFailover:
		return FastFailover(), nil
	case ProfileStock:
		return Stock(), nil
	}
	return Profile{}, &UserError{Message: fmt.Sprintf("there is no profile %q: use %s or %s", name, ProfileFastFailover, ProfileStock)}
}

// Properties renders the profile as lines of a server.properties file, each setting once, in the order of Settings.
func (p Profile) Properties() string {
	var b strings.Builder
	for _, s := range p.Settings {
		fmt.Fprintf(&b, "%s=%s\n", s.Key, s.Value)
	}
	return b.String()
}

// safety is what correctness needs: every record on three nodes, every acknowledgement from two. Some values are Kafka's own
// and stand here because official three-node examples lower them to 1, and then one dead broker stops every group.
func safety() []Setting {
	return []Setting{
		{"default.replication.factor", "3", "1", "a topic made by anybody survives the loss of a broker"},
		{"min.insync.replicas", "2", "1", "acks=all means two copies; the offsets topic has no setting of its own and takes this one"},
		{"offsets.topic.replication.factor", "3", "3", "one dead broker must not stop the groups"},
		{"transaction.state.log.replication.factor", "3", "3", "one dead broker must not stop the transactions"},
		{"transaction.state.log.min.isr", "2", "2", "a commit is on two nodes before it counts"},
		{"num.partitions", "3", "1", "one leader a broker: every loss can be seen in every topic"},
	}
}

// footprint is what lets three brokers start and live on one small machine. It does not touch failover.
func footprint() []Setting {
	return []Setting{
		{"log.cleaner.dedupe.buffer.size", "4194304", "134217728", "Kafka zeroes it at start: 130 MB less memory a broker and three brokers up 0.9 s sooner (6.0 to 5.1 s); compaction of small internal topics needs no more"},
		{"metric.reporters", "", "org.apache.kafka.common.metrics.JmxReporter", "nobody reads these beans, and registering thousands costs 0.6 s at the start of three brokers (6.0 to 5.4 s)"},
	}
}

// failover is what decides how long a loss is felt.
func failover() []Setting {
	return []Setting{
		{"broker.session.timeout.ms", "1000", "9000", "a killed broker stalls acks=all on every partition it follows until it is fenced, so this is the floor of every write gap: SIGKILL 8.0-12.3 s to 1.0-1.2 s; on a loaded machine a healthy broker can be fenced"},
		{"broker.heartbeat.interval.ms", "150", "2000", "several heartbeats must fit in a session of 1 s"},
		{"controller.quorum.fetch.timeout.ms", "600", "2000", "how long voters wait before they give up on the leader of the quorum: SIGKILL of it 10.9-12.3 s to 1.3-1.8 s, with the two below"},
		{"controller.quorum.election.timeout.ms", "250", "1000", "how long a candidate waits for votes"},
		{"controller.quorum.election.backoff.max.ms", "250", "1000", "how long it waits after a split vote"},
		{"replica.lag.time.max.ms", "5000", "30000", "how long a follower that is paused but not fenced holds acks=all back"},
		{"request.timeout.ms", "1500", "30000", "among brokers: a transaction ends when its markers are in every partition, and one that is on its way to a broker when that hangs waits for this; of 30 producers some could not commit for 8.5-11.3 s, as long as a leader was paused (5 runs), and now for 1.8-2.2 s (5 runs)"},
		{"replica.fetch.backoff.ms", "50", "1000", "followers back off after their first fetch from a new leader: at 1 s every leader move stalls acks for up to that"},
		{"replica.fetch.wait.max.ms", "100", "500", "how long a follower's fetch sleeps in a leader that has nothing new"},
		{"leader.imbalance.check.interval.seconds", "10", "300", "a broker that came back gets its preferred partitions within 10 s; the move costs 0.1-0.3 s"},
		{"group.initial.rebalance.delay.ms", "0", "3000", "a new group starts at once; its members come from one process"},
		{"transaction.abort.timed.out.transaction.cleanup.interval.ms", "1000", "10000", "an open transaction of a dead producer holds every read_committed reader back until it is aborted"},
		{"offsets.topic.num.partitions", "3", "50", "three coordinators are enough, and 47 fewer partitions have to find a leader"},
		{"transaction.state.log.num.partitions", "3", "50", "as above"},
	}
}
