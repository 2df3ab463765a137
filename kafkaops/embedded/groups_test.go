package embedded

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kassa/kafkaops"
)

// A member may leave while the group waits for its leader's assignment, as when a service is scaled from six to one: the others go on at once. The engine
// counts such a member twice, and would then wait for the rebalance timeout, perhaps again and again.
func TestAMemberLeavesBetweenTwoGenerations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := subject(t, kafkaops.FastFailover())
		client := func() *kgo.Client {
			cl, err := kgo.NewClient(kgo.SeedBrokers(s.Cluster.Bootstrap()...), kgo.Dialer(s.Dial))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(cl.Close)
			return cl
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		type member struct {
			*kgo.Client
			name, id   string
			generation int32
		}
		join := func(m *member) {
			req := kmsg.NewPtrJoinGroupRequest()
			req.Group, req.MemberID, req.InstanceID, req.ProtocolType = "g", m.id, &m.name, "consumer"
			req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 6000, 10_000
			req.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range"}}
			resp, err := req.RequestWith(ctx, m.Client)
			if err != nil || resp.ErrorCode != 0 {
				t.Errorf("%s joins: %v, code %d", m.name, err, resp.ErrorCode)
				return
			}
			m.id, m.generation = resp.MemberID, resp.Generation
		}
		sync := func(m *member, leads bool) {
			req := kmsg.NewPtrSyncGroupRequest()
			req.Group, req.MemberID, req.InstanceID, req.Generation = "g", m.id, &m.name, m.generation
			if leads {
				req.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: m.id, MemberAssignment: []byte("all")}}
			}
			_, _ = req.RequestWith(ctx, m.Client) // a rebalance may have begun
		}
		a, b := &member{Client: client(), name: "a"}, &member{Client: client(), name: "b"}
		join(a)
		sync(a, true)
		go join(b)
		synctest.Wait()
		join(a)
		synctest.Wait()
		go sync(b, false) // waits for a's assignment
		synctest.Wait()
		go func() {
			if _, err := kadm.NewClient(client()).LeaveGroup(ctx, kadm.LeaveGroup("g").InstanceIDs("b")); err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		sync(a, true)
		time.Sleep(time.Second) // of the bubble, none of ours: a hears of it by a heartbeat
		begun := time.Now()
		join(a)
		if took := time.Since(begun); took > time.Second {
			t.Errorf("the rebalance took %v", took)
		}
	})
}
