package embedded

import (
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The log is memory, so it is bounded. All partitions together keep their newest logBytes, the longest of them give first: a topic that nobody writes to keeps
// what it has, and it makes no difference how many there are. What a group has not read yet stays beyond that, so that a service can be stopped for a while
// and lose nothing; but no more than mostBytes. What a topic's own retention.ms and retention.bytes ask for is done as well. With Config.Keep that is all.
//
// In memory it is up to two and a half times as much: kfake keeps a segment in an array that doubles as it grows, and holds on to the last ones that it deleted.
const (
	logBytes       = 20 << 20
	mostBytes      = 128 << 20
	segmentBytes   = 256 << 10 // only whole segments give their memory back
	retentionEvery = time.Second
)

// retain lets the logs forget what is more than they may keep, until the cluster ends.
func (c *Cluster) retain() {
	tick := time.NewTicker(retentionEvery)
	defer tick.Stop()
	for {
		select {
		case <-c.life.Done():
			return
		case <-tick.C:
			topics := c.truth.Load().topics
			c.engine.expire(topics, time.Now())
			if c.cfg.Keep {
				continue
			}
			if unread := c.engine.trim(topics, logBytes, mostBytes); unread > 0 {
				c.cfg.Log.Warn("embedded: records were deleted that a group has not read, to bound the memory", "records", unread)
			}
		}
	}
}

// expire deletes what topics that ask for it by a setting of their own need not keep. kfake would, but up to the newest batch that is old enough, wherever it
// stands: a record with a time stamp of 1970 took along all that was before it. Kafka deletes a segment whose newest record is old enough, from the oldest on.
func (e *engine) expire(topics map[string]*topicImage, now time.Time) {
	for name := range topics {
		info := e.kf.TopicInfo(name)
		if info == nil {
			continue
		}
		setting := func(key string) (int64, bool) {
			v := info.Configs[key]
			if v == nil {
				return 0, false
			}
			n, err := strconv.ParseInt(*v, 10, 64)
			return n, err == nil && n >= 0
		}
		age, byAge := setting("retention.ms")
		bytes, byBytes := setting("retention.bytes")
		if !byAge && !byBytes {
			continue
		}
		for _, p := range e.kf.PartitionInfos(name) {
			to := p.LogStartOffset
			if byBytes {
				to = length{bytes: p.NumBytes, start: p.LogStartOffset, high: p.HighWatermark}.cut(bytes)
			}
			if byAge && to < p.HighWatermark {
				to = max(to, e.since(name, p, now.UnixMilli()-age))
			}
			if to > p.LogStartOffset {
				_ = e.kf.DeleteRecords(name, p.Partition, to) // it may have been deleted as a whole
			}
		}
	}
}

// since is the offset of the first record that is not older than ms, a time stamp; the start of the log if that cannot be told.
func (e *engine) since(topic string, p *kfake.PartitionInfo, ms int64) int64 {
	if p.MaxTimestamp < ms {
		return p.HighWatermark
	}
	part := kmsg.NewListOffsetsRequestTopicPartition()
	part.Partition, part.Timestamp, part.CurrentLeaderEpoch = p.Partition, ms, -1
	in := kmsg.NewListOffsetsRequestTopic()
	in.Topic, in.Partitions = topic, append(in.Partitions, part)
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.Topics = -1, append(req.Topics, in)
	req.SetVersion(5)
	answer, err := e.ask(req)
	if err != nil {
		return p.LogStartOffset // the cluster ends
	}
	for _, t := range answer.(*kmsg.ListOffsetsResponse).Topics {
		for _, found := range t.Partitions {
			if found.ErrorCode == 0 && found.Offset >= 0 {
				return found.Offset
			}
		}
	}
	return p.LogStartOffset
}

// length is how much a partition has.
type length struct {
	topic       string
	id          int32
	bytes       int64
	start, high int64 // offsets
	read        int64 // up to which offset every group that has committed one has read
}

// cut is the offset from which on a partition has so many bytes: its records are about as large as each other.
func (l length) cut(bytes int64) int64 {
	if l.bytes <= bytes {
		return l.start
	}
	return l.start + int64(float64(l.high-l.start)*float64(l.bytes-bytes)/float64(l.bytes))
}

// trim deletes the oldest records of the longest partitions until all together have no more than soft bytes, or no more than hard if groups have not read the
// rest. It returns how many were deleted unread.
func (e *engine) trim(topics map[string]*topicImage, soft, hard int64) (unread int64) {
	var all []length
	var sizes []int64
	sum := int64(0)
	for name := range topics {
		for _, p := range e.kf.PartitionInfos(name) {
			all = append(all, length{name, p.Partition, p.NumBytes, p.LogStartOffset, p.HighWatermark, p.HighWatermark})
			sizes = append(sizes, p.NumBytes)
			sum += p.NumBytes
		}
	}
	if sum <= soft {
		return 0
	}
	e.readSoFar(all)
	softly, hardly := share(sizes, soft), share(sizes, hard)
	for _, l := range all {
		must := l.cut(hardly)
		to := max(must, min(l.cut(softly), max(l.read, l.start)))
		if to == l.start || e.kf.DeleteRecords(l.topic, l.id, to) != nil { // it may have been deleted as a whole
			continue
		}
		unread += max(0, to-max(l.read, l.start))
	}
	return unread
}

// readSoFar fills in what the groups have committed.
func (e *engine) readSoFar(all []length) {
	list := kmsg.NewPtrListGroupsRequest()
	list.SetVersion(5)
	answer, err := e.ask(list)
	if err != nil {
		return // the cluster ends
	}
	for _, g := range answer.(*kmsg.ListGroupsResponse).Groups {
		info := e.kf.GroupInfo(g.Group)
		if info == nil {
			continue
		}
		for i := range all {
			if commit, ok := info.Commits[all[i].topic][all[i].id]; ok {
				all[i].read = min(all[i].read, commit.Offset)
			}
		}
	}
}

// share is the most that each may keep so that all together keep no more than budget.
func share(sizes []int64, budget int64) int64 {
	sizes = slices.Sorted(slices.Values(sizes))
	for i, size := range sizes {
		each := budget / int64(len(sizes)-i)
		if size > each {
			return each
		}
		budget -= size
	}
	return math.MaxInt64
}
