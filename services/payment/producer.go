package payment

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// Acks is how many brokers must have a payment before it is acknowledged. It applies to payment alone.
type Acks uint8

// The acks, as a producer's setting of that name.
const (
	AcksAll    Acks = iota // every replica that is in sync, and at least min.insync.replicas of them
	AcksLeader             // the leader: if it dies before a follower has the record, an acknowledged order is lost
	AcksNone               // nobody: a record that was handed to the network counts as acknowledged
)

var acksNames = [...]string{"all", "1", "0"}

// String is the setting's value.
func (a Acks) String() string { return acksNames[a] }

// ParseAcks reads all, 1 or 0.
func ParseAcks(text string) (Acks, error) {
	for a, name := range acksNames {
		if text == name {
			return Acks(a), nil
		}
	}
	return 0, fmt.Errorf("acks is all, 1 or 0, not %q", text)
}

// linger is how long records of a partition wait for a request to share, unless somebody waits for one (see prompt). At 200/s that is 44 requests a
// second and 1.5 % of a core less than with 20 ms, and 79 less than the client's default of 10 ms. At high rates the request in flight gathers more.
const linger = 50 * time.Millisecond

// ProducerOptions is how payment writes, upon the options of any client: also for whoever measures what its users would feel.
func ProducerOptions(client []kgo.Opt, acks Acks) []kgo.Opt {
	opts := append(append([]kgo.Opt(nil), client...),
		// No delivery timeout, since a record that is given up may have been written all the same.
		kgo.MaxVersions(oneInFlight()),
		kgo.UnknownTopicRetries(-1),
		kgo.ProducerLinger(linger),
		// Snappy, the default, costs every reader time and saves little on events of some hundred bytes.
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.DisableClientMetrics(),
	)
	// With all it is idempotent (the client's default), so that a retry never writes twice. Brokers take idempotent writes with all only.
	switch acks {
	case AcksLeader:
		return append(opts, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(1))
	case AcksNone:
		return append(opts, kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(1))
	}
	return append(opts, kgo.RequiredAcks(kgo.AllISRAcks()))
}

// oneInFlight caps Produce requests at version 3, with which the client keeps one of them in flight to a broker; with later
// ones it is five, and idempotence forbids to set it. A broker that restarts knows of each producer only the last batch of a
// partition: its snapshots hold no more. When all replicas restart with several batches unacknowledged, it cannot tell that it has the
// earlier ones, answers OUT_OF_ORDER_SEQUENCE_NUMBER, and the client writes them once more under a new epoch. Seen on
// Kafka 4.3.1: 14 payments of 17,006 twice after all three brokers were killed.
func oneInFlight() *kversion.Versions {
	v := kversion.Stable()
	v.SetMaxKeyVersion(int16(kmsg.Produce), 3)
	return v
}
