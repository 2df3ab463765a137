package drill

import (
	"net"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// slow is when an answer is so late that somebody would look up: healthy brokers on a busy laptop stay below it.
const slow = 250 * time.Millisecond

// signs tells of what a client notices of its brokers, by its hooks.
type signs struct{ saw func(Sign) }

var (
	_ kgo.HookBrokerConnect    = (*signs)(nil)
	_ kgo.HookBrokerDisconnect = (*signs)(nil)
	_ kgo.HookBrokerE2E        = (*signs)(nil)
)

// OnBrokerConnect implements kgo.HookBrokerConnect.
func (s *signs) OnBrokerConnect(meta kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err != nil {
		s.tell(meta, "connection refused")
	}
}

// OnBrokerDisconnect implements kgo.HookBrokerDisconnect.
func (s *signs) OnBrokerDisconnect(meta kgo.BrokerMetadata, _ net.Conn) {
	s.tell(meta, "disconnected")
}

// OnBrokerE2E implements kgo.HookBrokerE2E.
func (s *signs) OnBrokerE2E(meta kgo.BrokerMetadata, _ int16, e2e kgo.BrokerE2E) {
	if e2e.Err() == nil && e2e.DurationE2E() > slow {
		s.tell(meta, "slow answer")
	}
}

func (s *signs) tell(meta kgo.BrokerMetadata, what string) {
	node := meta.NodeID
	if node < 0 { // an address of the bootstrap list
		node = -1
	}
	s.saw(Sign{At: time.Now(), Node: node, Addr: net.JoinHostPort(meta.Host, strconv.Itoa(int(meta.Port))), What: what})
}
