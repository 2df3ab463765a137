package kafkaops

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ClientOptions is how every client of kassa talks to a cluster whose brokers die. It is the one place where franz-go's
// defaults are changed for the sake of failover; what a producer or consumer needs beyond it is added by whoever makes one.
// A later option replaces an earlier one, so append to this to deviate.
//
// bootstrap is a list of host:port. Some of them may be dead: the client goes through them in turn.
//
// The figures were measured on three KRaft nodes on 2 cores with franz-go 1.22.2. Together these settings add less than
// 55 ms to what the cluster itself needs to move its leaders after a SIGKILL.
func ClientOptions(bootstrap []string) []kgo.Opt {
	return []kgo.Opt{
		kgo.SeedBrokers(bootstrap...),

		// Default 5 s. Every retriable error waits for metadata that is at least this much younger. With transactions v2
		// such errors are routine, not only in a failover: p99 of an exactly-once hop fell from 4-9 s to 0.8 s.
		kgo.MetadataMinAge(50 * time.Millisecond),
		// Default 5 min. Bounds how long a new topic or partition stays unseen when nothing fails. One small request in
		// 10 s costs nothing that can be measured.
		kgo.MetadataMaxAge(10 * time.Second),

		// Default 10 s. A refused connection fails at once either way; this bounds the dial of an address that drops packets
		// (a paused container's host, a full accept queue of a stopped process). A broker that hangs is noticed, see lookout.
		kgo.Dialer(newLookout(500 * time.Millisecond).dial),
		// Defaults 10 s and 10 s, and they add up. A broker stopped by SIGSTOP keeps its connections, so this sum is what its
		// clients lose: the write gap after a paused follower was 4.0-6.1 s at 2 s + 2 s, 1.5 s at 1 s + 0.5 s,
		// and 1.7 s at 0.5 s + 0.3 s. Shorter is not better: slow answers of healthy brokers then count as failures.
		kgo.ProduceRequestTimeout(time.Second),
		kgo.RequestTimeoutOverhead(500 * time.Millisecond),
		// Default 250 ms doubling to 5 s. Leaders are back after about a second, so a client that sleeps
		// longer than 250 ms would itself be the gap.
		kgo.RetryBackoffFn(retryBackoff),
		// Default 20, meant for that back-off: with ours they would be spent in 4 s, less than an election on a busy
		// machine takes. 200 are 50 s, as long as the default's.
		kgo.RequestRetries(200),
		// By default a connection that ends before its first answer is taken for a wrong TLS or SASL setting, and not retried. It
		// is what a client sees of a broker that dies just then: without this, 36 of 6,347 payments failed when the
		// broker that was to give the producer its id was killed.
		kgo.AlwaysRetryEOF(),
	}
}

// retryBackoff is 20 ms doubling to 250 ms; fails counts from 1.
func retryBackoff(fails int) time.Duration {
	const first, most = 20 * time.Millisecond, 250 * time.Millisecond
	return min(first<<min(max(fails-1, 0), 4), most)
}
