package watch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The types of group that a describe request exists for, as ListGroups names them. A group asked for with another type's request is
// said not to exist.
const (
	classicGroup  = "classic"
	consumerGroup = "consumer" // KIP-848
	shareGroup    = "share"    // KIP-932
)

// groupRound is what one look at all groups came to.
type groupRound struct {
	told    map[string]toldGroup // by name
	partial error                // why some broker did not list its groups: those that are not in told may be there yet
}

// toldGroup is what one look at a group came to.
type toldGroup struct {
	group   Group
	err     error                   // it could not be described, and group is worth nothing
	lagErr  error                   // its offsets could not be had
	unknown map[topicPartition]bool // partitions of group.Lag of which the end is not known
}

// groupAsker asks for all groups through one client. It remembers what was listed, for the time when a broker cannot list.
type groupAsker struct {
	client *kgo.Client
	admin  *kadm.Client
	only   []string // nil means all
	listed map[string]listedGroup
}

type listedGroup struct {
	kind, state string
	coordinator int32
}

// round looks at all groups in three steps: which there are, their members and offsets, the ends of their partitions.
func (a *groupAsker) round(ctx context.Context) groupRound {
	r := groupRound{told: map[string]toldGroup{}}
	r.partial, _ = within(ctx, groupsDeadline, func(ctx context.Context) (error, error) { return a.list(ctx), nil })
	var offsets kadm.FetchOffsetsResponses
	_, _ = within(ctx, groupsDeadline, func(ctx context.Context) (struct{}, error) {
		fetched := make(chan kadm.FetchOffsetsResponses, 1)
		go func() {
			fetched <- a.admin.FetchManyOffsets(ctx, append(a.names(classicGroup), a.names(consumerGroup)...)...)
		}()
		a.describe(ctx, r.told)
		offsets = <-fetched
		return struct{}{}, nil
	})
	a.lag(ctx, r.told, offsets)
	for _, name := range a.only {
		if _, ok := r.told[name]; ok {
			continue
		}
		r.told[name] = toldGroup{group: Group{Name: name, State: "Dead", Coordinator: -1}, err: r.partial}
	}
	return r
}

// list learns which groups there are and of what type, which kadm's own call leaves out. Every broker tells of those that it
// coordinates; while one does not, what was listed before still counts.
func (a *groupAsker) list(ctx context.Context) error {
	var partial error
	listed := map[string]listedGroup{}
	for _, shard := range a.client.RequestSharded(ctx, kmsg.NewPtrListGroupsRequest()) {
		if shard.Err != nil {
			partial = shard.Err
			continue
		}
		resp := shard.Resp.(*kmsg.ListGroupsResponse)
		if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
			partial = err
			continue
		}
		for _, g := range resp.Groups {
			kind := strings.ToLower(g.GroupType)
			if kind == "" { // brokers before 3.8 have no other
				kind = classicGroup
			}
			listed[g.Group] = listedGroup{kind, g.GroupState, shard.Meta.NodeID}
		}
	}
	if partial != nil {
		for name, g := range a.listed {
			if _, ok := listed[name]; !ok {
				listed[name] = g
			}
		}
	}
	a.listed = listed
	return partial
}

// names lists the groups of one type.
func (a *groupAsker) names(kind string) []string {
	var out []string
	for name, g := range a.listed {
		if g.kind == kind && (a.only == nil || slices.Contains(a.only, name)) {
			out = append(out, name)
		}
	}
	return out
}

// describe asks for state and members, each type with its own request. A type that nobody has a group of costs none.
func (a *groupAsker) describe(ctx context.Context, told map[string]toldGroup) {
	describeAs(ctx, told, a.names(classicGroup), a.admin.DescribeGroups, classic)
	describeAs(ctx, told, a.names(consumerGroup), a.admin.DescribeConsumerGroups, consumer)
	describeAs(ctx, told, a.names(shareGroup), a.admin.DescribeShareGroups, share)
	for name, g := range a.listed {
		if _, ok := told[name]; !ok && (a.only == nil || slices.Contains(a.only, name)) {
			told[name] = toldGroup{group: Group{Name: name, Type: g.kind, State: g.state, Coordinator: g.coordinator, Opaque: true}}
		}
	}
}

var errUndescribed = errors.New("no broker described it")

// describeAs asks for groups of one type, and sorts out the three ways in which one can be missing from the answer.
func describeAs[M ~map[string]G, G any](
	ctx context.Context, told map[string]toldGroup, names []string, ask func(context.Context, ...string) (M, error), convert func(G) (Group, error),
) {
	if len(names) == 0 {
		return
	}
	got, err := ask(ctx, names...)
	for _, name := range names {
		var t toldGroup
		switch g, ok := got[name]; {
		case ok:
			t.group, t.err = convert(g)
		case err != nil:
			t.err = err
		default:
			t.err = errUndescribed
		}
		told[name] = t
	}
}

func classic(d kadm.DescribedGroup) (Group, error) {
	g := Group{Name: d.Group, Type: classicGroup, State: d.State, Protocol: d.Protocol, Coordinator: d.Coordinator.NodeID}
	for _, m := range d.Members {
		member := Member{ID: m.MemberID, ClientID: m.ClientID, Host: m.ClientHost, Assigned: map[string][]int32{}}
		if c, ok := m.Assigned.AsConsumer(); ok {
			for _, t := range c.Topics {
				member.Assigned[t.Topic] = slices.Sorted(slices.Values(t.Partitions))
			}
		}
		g.Members = append(g.Members, member)
	}
	return g, d.Err
}

func consumer(d kadm.DescribedConsumerGroup) (Group, error) {
	g := Group{
		Name: d.Group, Type: consumerGroup, State: d.State, Protocol: d.AssignorName, Epoch: d.Epoch, Coordinator: d.Coordinator.NodeID,
	}
	for _, m := range d.Members {
		g.Members = append(g.Members, Member{ID: m.MemberID, ClientID: m.ClientID, Host: m.ClientHost, Assigned: assigned(m.Assignment)})
	}
	return g, d.Err
}

func share(d kadm.DescribedShareGroup) (Group, error) {
	g := Group{
		Name: d.GroupID, Type: shareGroup, State: d.GroupState, Protocol: d.Assignor, Epoch: d.GroupEpoch, Coordinator: d.Coordinator.NodeID,
	}
	for _, m := range d.Members {
		g.Members = append(g.Members, Member{ID: m.MemberID, ClientID: m.ClientID, Host: m.ClientHost, Assigned: assigned(m.Assignment)})
	}
	return g, d.Err
}

func assigned(set kadm.TopicsSet) map[string][]int32 {
	out := make(map[string][]int32, len(set))
	for t, ps := range set {
		for p := range ps {
			out[t] = append(out[t], p)
		}
		slices.Sort(out[t])
	}
	return out
}

// lag fills in how far the groups are behind. Like Kafka's own tool it lists what is committed or assigned, up to the high watermark, and
// where nothing is committed the lag is unknown: what a reader starts with is its own affair.
func (a *groupAsker) lag(ctx context.Context, told map[string]toldGroup, offsets kadm.FetchOffsetsResponses) {
	rows := map[string]map[topicPartition]int64{} // by group: what is committed, -1 for nothing
	topics := map[string]bool{}
	for name, t := range told {
		if t.err != nil || t.group.Opaque || t.group.Type == shareGroup { // a share group has no one offset in a partition
			continue
		}
		fetched, ok := offsets[name]
		if !ok || fetched.Err != nil {
			t.lagErr = fetched.Err
			if !ok {
				t.lagErr = errUndescribed
			}
			told[name] = t
			continue
		}
		row := map[topicPartition]int64{}
		for _, m := range t.group.Members {
			for topic, ps := range m.Assigned {
				for _, p := range ps {
					row[topicPartition{topic, p}] = -1
				}
			}
		}
		fetched.Fetched.Each(func(o kadm.OffsetResponse) {
			if o.Err == nil && o.At >= 0 {
				row[topicPartition{o.Topic, o.Partition}] = o.At
			}
		})
		for tp := range row {
			topics[tp.topic] = true
		}
		rows[name] = row
	}
	if len(topics) == 0 {
		return
	}
	ends, err := within(ctx, groupsDeadline, func(ctx context.Context) (kadm.ListedOffsets, error) {
		return a.admin.ListEndOffsets(ctx, slices.Collect(maps.Keys(topics))...)
	})
	for name, row := range rows {
		told[name] = told[name].behind(row, ends, err)
	}
}

// behind puts commits and ends together.
func (t toldGroup) behind(row map[topicPartition]int64, ends kadm.ListedOffsets, err error) toldGroup {
	t.unknown = map[topicPartition]bool{}
	for _, tp := range slices.SortedFunc(maps.Keys(row), topicPartition.compare) {
		l := PartitionLag{Topic: tp.topic, Partition: tp.id, Committed: row[tp], End: -1, Lag: -1}
		switch end, ok := ends.Lookup(tp.topic, tp.id); {
		case !ok || end.Err != nil:
			t.unknown[tp] = true
			t.group.Err = endless(tp, end.Err, err)
		default:
			l.End = end.Offset
			if l.Committed >= 0 {
				l.Lag = max(0, l.End-l.Committed)
			}
		}
		t.group.Lag = append(t.group.Lag, l)
	}
	return t
}

func (tp topicPartition) compare(o topicPartition) int {
	return cmp.Or(cmp.Compare(tp.topic, o.topic), cmp.Compare(tp.id, o.id))
}

func endless(tp topicPartition, errs ...error) string {
	for _, err := range errs {
		if err != nil {
			return fmt.Sprintf("end of %s/%d: %s", tp.topic, tp.id, sentence(err))
		}
	}
	return fmt.Sprintf("end of %s/%d is not known", tp.topic, tp.id)
}

// sentence is reason for an error that may be of several requests.
func sentence(err error) string {
	if shards, ok := errors.AsType[*kadm.ShardErrors](err); ok && len(shards.Errs) > 0 {
		err = shards.Errs[0].Err
	}
	return reason(err)
}
