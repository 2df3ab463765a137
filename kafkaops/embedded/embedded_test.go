package embedded

import (
	"context"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kfake"

	"kassa/kafkaops"
	"kassa/kafkaops/conformance"
)

// subject is a cluster on a network and a clock that are not there: an hour takes as long as the computing.
func subject(t *testing.T, p kafkaops.Profile) *conformance.Subject {
	t.Helper()
	network := &kfake.VirtualNetwork{}
	c, err := Start(t.Context(), Config{Listen: network.Listen, Profile: p, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	dial := func(ctx context.Context, net_, addr string) (net.Conn, error) {
		conn, err := network.DialContext(ctx, net_, addr)
		if err != nil && ctx.Err() == nil { // in the words of a kernel
			err = &net.OpError{Op: "dial", Net: net_, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
		}
		return conn, err
	}
	return &conformance.Subject{Cluster: c, Dial: dial}
}

func TestConformance(t *testing.T) {
	for _, p := range []kafkaops.Profile{kafkaops.FastFailover(), kafkaops.Stock()} {
		for _, c := range conformance.Cases() {
			if c.RealTime && p.Name != kafkaops.ProfileFastFailover {
				continue // a session of 9 s, which passes: TestE2EConformanceInRealTime
			}
			t.Run(p.Name+"/"+c.Name, func(t *testing.T) {
				if c.RealTime {
					t.Parallel()
					c.Do(t, subject(t, p))
					return
				}
				synctest.Test(t, func(t *testing.T) { c.Do(t, subject(t, p)) })
			})
		}
	}
}
