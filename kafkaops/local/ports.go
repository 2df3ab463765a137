package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"kassa/kafkaops"
	"kassa/kafkaops/flock"
)

const (
	firstClientPort = 9094
	firstQuorumPort = 19094
	// lastPort is below the ephemeral range of Linux (32768-60999): a client that keeps dialling a dead broker's port from such a port
	// would, sooner or later, connect to itself.
	lastPort = 32767
)

// ports are what one cluster listens on. Each is locked for as long as the cluster lives, because a killed broker's port looks free to
// the next kassa.
type ports struct {
	clients, quorum []int
	moved           bool // not the usual client ports
	locks           []*os.File
}

// choosePorts takes the explicit ones or fails; else the usual ones if all three are free; else three others in a row.
func choosePorts(ctx context.Context, explicit []int, lockDir string, n int) (*ports, error) {
	if err := os.MkdirAll(lockDir, 0o700); err != nil {
		return nil, unusableDir("cache directory", lockDir, err)
	}
	p := &ports{}
	err := p.choose(ctx, explicit, lockDir, n)
	if err != nil {
		p.release()
		return nil, err
	}
	return p, nil
}

func (p *ports) choose(ctx context.Context, explicit []int, lockDir string, n int) error {
	switch {
	case len(explicit) > 0:
		if err := checkPorts(ctx, explicit, n); err != nil {
			return err
		}
		for _, port := range explicit {
			if !p.take(ctx, lockDir, port) {
				return portInUse(port)
			}
		}
		p.clients = explicit
	default:
		p.clients = p.scan(ctx, lockDir, firstClientPort, n)
		if p.clients == nil {
			return noPorts(firstClientPort)
		}
		p.moved = p.clients[0] != firstClientPort
	}
	p.quorum = p.scan(ctx, lockDir, firstQuorumPort, n)
	if p.quorum == nil {
		return noPorts(firstQuorumPort)
	}
	return nil
}

// scan takes the first n free ports in a row, from first on in steps of n, or returns nil.
func (p *ports) scan(ctx context.Context, lockDir string, first, n int) []int {
	for base := first; base+n-1 <= lastPort && ctx.Err() == nil; base += n {
		held := len(p.locks)
		var row []int
		for port := base; port < base+n && p.take(ctx, lockDir, port); port++ {
			row = append(row, port)
		}
		if len(row) == n {
			return row
		}
		for _, f := range p.locks[held:] {
			f.Close()
		}
		p.locks = p.locks[:held]
	}
	return nil
}

func (p *ports) take(ctx context.Context, lockDir string, port int) bool {
	f, err := flock.Port(lockDir, port)
	if err != nil {
		return false
	}
	if !portFree(ctx, port) {
		f.Close()
		return false
	}
	p.locks = append(p.locks, f)
	return true
}

func (p *ports) release() {
	for _, f := range p.locks {
		f.Close()
	}
	p.locks = nil
}

// checkPorts says whether explicit ports make sense and are free now.
func checkPorts(ctx context.Context, explicit []int, n int) error {
	if len(explicit) == 0 {
		return nil
	}
	seen := make(map[int]bool)
	for _, port := range explicit {
		if port < 1 || port > 65535 || seen[port] {
			return &kafkaops.UserError{Message: fmt.Sprintf("ports %s: give different numbers from 1 to 65535", list(explicit))}
		}
		seen[port] = true
	}
	if len(explicit) != n {
		return &kafkaops.UserError{Message: fmt.Sprintf("ports %s: give %d, one for each broker", list(explicit), n)}
	}
	for _, port := range explicit {
		if !portFree(ctx, port) {
			return portInUse(port)
		}
	}
	return nil
}

// portFree asks both ways: a listener on all addresses does not stop ours on every system, but it answers.
func portFree(ctx context.Context, port int) bool {
	addr := loopback(port)
	d := net.Dialer{Timeout: 100 * time.Millisecond}
	if c, err := d.DialContext(ctx, "tcp", addr); err == nil {
		c.Close()
		return false
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	l.Close()
	return true
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func portInUse(port int) error {
	return &kafkaops.UserError{Message: fmt.Sprintf("port %d is in use: end what listens on it, or give other ports", port), Err: kafkaops.ErrPortInUse}
}

func noPorts(first int) error {
	return &kafkaops.UserError{
		Message: fmt.Sprintf("no free ports were found from %d to %d on 127.0.0.1: end what uses them, or give ports", first, lastPort),
		Err:     errors.New("port scan exhausted"),
	}
}

// list joins numbers as people write them: 9094, 9095, 9096.
func list(numbers []int) string {
	var words []string
	for _, n := range numbers {
		words = append(words, strconv.Itoa(n))
	}
	return strings.Join(words, ", ")
}
