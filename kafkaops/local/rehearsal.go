package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"kassa/kafkaops"
)

// pair is two throw-away nodes. Two, because half of what a broker does after a fault it does with another one: follow a leader, be followed, take
// over. An archive made by a node alone lacks 1,400 classes of that, and a broker that had just been started spent a third of a second of its
// first second as a leader loading them, while writes waited.
type pair struct {
	c     *Cluster
	ports *ports
	addrs []string // for clients
	conf  [2]string
	proc  [2]*process
}

// pairConf lets two nodes have what the profile spreads over three. Of two lines with the same key the later counts.
const pairConf = `default.replication.factor=2
min.insync.replicas=1
offsets.topic.replication.factor=2
transaction.state.log.replication.factor=2
transaction.state.log.min.isr=1
`

func (c *Cluster) newPair(ctx context.Context) (*pair, error) {
	ports, err := choosePorts(ctx, nil, c.portLocks(), 2)
	if err != nil {
		return nil, err
	}
	p := &pair{c: c, ports: ports}
	if err := p.format(ctx); err != nil {
		ports.release()
		return nil, err
	}
	return p, nil
}

// format gives both nodes directories and settings.
func (p *pair) format(ctx context.Context) error {
	var nodes [2]server
	var voters []string
	for i := range nodes {
		n := server{id: int32(i) + 1, client: loopback(p.ports.clients[i]), quorum: loopback(p.ports.quorum[i]), rest: p.c.cfg.Profile.Properties() + pairConf}
		n.logDirs = nodeDir(asideName, n.id)
		voters = append(voters, fmt.Sprintf("%d@%s", n.id, n.quorum))
		p.addrs = append(p.addrs, n.client)
		nodes[i] = n
	}
	for i, n := range nodes {
		n.voters = voters
		p.conf[i] = filepath.Join(confName, fmt.Sprintf("archive-%d.properties", n.id))
		if err := os.WriteFile(p.c.run.file(p.conf[i]), []byte(n.properties()), 0o600); err != nil {
			return err
		}
	}
	t, err := findTemplate(p.c.vm().jars, p.c.cfg.CacheDir)
	if err != nil { // it could not be kept
		if err := runStorageTool(ctx, p.c.guard, p.c.vm(), p.c.run, "archive-format", p.conf[0]); err != nil {
			return err
		}
		if t, err = readTemplate(p.c.run.file(nodes[0].logDirs)); err != nil {
			return err
		}
	}
	cluster := newUUID()
	for _, n := range nodes {
		if err := t.write(p.c.run.file(n.logDirs), n.id, cluster); err != nil {
			return err
		}
	}
	return nil
}

func (p *pair) launch(ctx context.Context, i int, extra ...string) (err error) {
	p.proc[i], err = p.c.guard.launch(ctx, politely(p.c.vm().spec(p.c.run, fmt.Sprintf("archive-%d", i+1), extra, kafkaMain, p.conf[i])))
	return err
}

// end sends a node a signal and waits until it is gone.
func (p *pair) end(ctx context.Context, i int, s syscall.Signal) error {
	if err := p.c.guard.signal(ctx, p.proc[i], s); err != nil {
		return err
	}
	select {
	case <-p.proc[i].ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// close ends what still runs.
func (p *pair) close() {
	for i, proc := range p.proc {
		if proc != nil && proc.alive() {
			_ = p.end(context.Background(), i, syscall.SIGKILL) // when the guard is gone, so are they
		}
	}
	p.ports.release()
}

// rehearse has the second node, run with this flag, do what brokers do in a life of faults: come back to data that it left behind, catch up, be a
// leader and a follower, and end in order.
func (p *pair) rehearse(ctx context.Context, flag string) error {
	if err := errors.Join(p.launch(ctx, 0), p.launch(ctx, 1)); err != nil {
		return err
	}
	if err := p.perform(ctx); err != nil {
		return fmt.Errorf("using the throw-away nodes: %w", err)
	}
	if err := p.end(ctx, 1, syscall.SIGKILL); err != nil {
		return err
	}
	if err := p.launch(ctx, 1, flag); err != nil {
		return err
	}
	if err := p.perform(ctx); err != nil {
		return fmt.Errorf("using the throw-away nodes again: %w", err)
	}
	return p.end(ctx, 1, syscall.SIGTERM)
}

const (
	rehearsal = "2"    // changes with what is rehearsed, and with it the archive
	rehearsed = "warm" // the topic, the group and the transactional id
)

// perform waits for both nodes and has each lead everything in turn, the second at the end, and take records of every kind.
func (p *pair) perform(ctx context.Context) error {
	ask, err := kafkaops.NewProber(p.addrs)
	if err != nil {
		return err
	}
	defer ask.Close()
	for i, proc := range p.proc {
		if !ask.Await(ctx, i, len(p.proc), proc.ended) {
			return errors.New("they did not come up")
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	client, err := kgo.NewClient(p.options()...)
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	if _, err := admin.CreateTopic(ctx, 4, 2, nil, rehearsed); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return err
	}
	for _, leader := range []int32{1, 2, 1, 2} {
		if err := p.lead(ctx, admin, leader); err != nil {
			return err
		}
		if err := p.trade(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (p *pair) options(more ...kgo.Opt) []kgo.Opt {
	return append([]kgo.Opt{kgo.SeedBrokers(p.addrs...), kgo.MetadataMinAge(50 * time.Millisecond), kgo.UnknownTopicRetries(-1)}, more...)
}

// lead makes this node the preferred leader of every partition, and has it take over. It tries until both are in sync.
func (p *pair) lead(ctx context.Context, admin *kadm.Client, leader int32) error {
	other := 3 - leader
	for {
		topics, err := admin.ListTopicsWithInternal(ctx)
		if err == nil {
			var order kadm.AlterPartitionAssignmentsReq
			topics.EachPartition(func(d kadm.PartitionDetail) { order.Assign(d.Topic, d.Partition, []int32{leader, other}) })
			_, err = admin.AlterPartitionAssignments(ctx, order)
		}
		if err == nil {
			_, err = admin.ElectLeaders(ctx, kadm.ElectPreferredReplica, nil)
		}
		if err == nil {
			if topics, err = admin.ListTopicsWithInternal(ctx); err == nil && led(topics, leader) {
				return nil
			}
		}
		again := time.NewTimer(100 * time.Millisecond)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return errors.Join(fmt.Errorf("node %d does not lead everything", leader), err)
		}
	}
}

func led(topics kadm.TopicDetails, leader int32) bool {
	all := true
	topics.EachPartition(func(d kadm.PartitionDetail) { all = all && d.Leader == leader && len(d.ISR) == 2 })
	return all
}

// trade writes and reads what clients write and read: plain records with each kind of compression, as of old and as of today, a transaction with the
// offsets of a group in it, and what admins ask.
func (p *pair) trade(ctx context.Context) error {
	old := kversion.Stable()
	old.SetMaxKeyVersion(int16(kmsg.Produce), 3)
	for _, how := range [][]kgo.Opt{
		{kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.MaxVersions(old)},
		{kgo.ProducerBatchCompression(kgo.SnappyCompression())},
		{kgo.ProducerBatchCompression(kgo.Lz4Compression())},
		{kgo.ProducerBatchCompression(kgo.ZstdCompression())},
		{kgo.ProducerBatchCompression(kgo.GzipCompression()), kgo.DisableIdempotentWrite()},
	} {
		if err := p.write(ctx, how...); err != nil {
			return err
		}
	}
	s, err := kgo.NewGroupTransactSession(p.options(
		kgo.TransactionalID(rehearsed), kgo.ConsumerGroup(rehearsed), kgo.InstanceID(rehearsed), kgo.ConsumeTopics(rehearsed),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
	)...)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.PollFetches(ctx).Err0(); err != nil {
		return err
	}
	if err := s.Begin(); err != nil {
		return err
	}
	s.Produce(ctx, &kgo.Record{Topic: rehearsed, Key: []byte("k"), Value: []byte("in a transaction")}, nil)
	if _, err := s.End(ctx, kgo.TryCommit); err != nil {
		return err
	}
	admin := kadm.NewClient(s.Client())
	if _, err := admin.Lag(ctx, rehearsed); err != nil {
		return err
	}
	if _, err := admin.DescribeTopicConfigs(ctx, rehearsed); err != nil {
		return err
	}
	_, err = admin.DescribeBrokerConfigs(ctx, 1, 2)
	return err
}

// write sends some batches to every partition.
func (p *pair) write(ctx context.Context, how ...kgo.Opt) error {
	client, err := kgo.NewClient(p.options(append(how,
		kgo.RecordPartitioner(kgo.RoundRobinPartitioner()),
		kgo.DefaultProduceTopic(rehearsed),
		kgo.AllowIdempotentProduceCancellation(), // else a write whose brokers are gone outlasts ctx, and who quits waits for it for ever
	)...)...)
	if err != nil {
		return err
	}
	defer client.Close()
	for range 20 {
		var records []*kgo.Record
		for range 8 {
			records = append(records, &kgo.Record{Value: []byte("some records, some records, some records")})
		}
		if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
			return err
		}
	}
	return nil
}
