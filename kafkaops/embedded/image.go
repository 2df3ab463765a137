package embedded

import (
	"slices"
	"time"
)

// image is the cluster at one moment, for those who answer requests. Nobody changes one after it was published. The metadata in it is what
// brokers tell their clients, from the image that they saw last; the rest is how things are, from the newest.
type image struct {
	brokers []brokerImage // sorted by id
	topics  map[string]*topicImage
	byID    map[[16]byte]*topicImage

	quorum quorumImage
	next   chan struct{} // closed when there is a newer image
}

// brokerImage is a broker's registration, and whether it replicates.
type brokerImage struct {
	id     int32
	fenced bool
	beats  bool // not part of the metadata
}

// quorumImage is what the active controller knows of the voters.
type quorumImage struct {
	active bool
	leader int32
	epoch  int32
	voters []voterImage
}

type voterImage struct {
	id     int32
	here   bool
	end    int64     // of its log if it is not here
	lostAt time.Time // if it is not here
}

type topicImage struct {
	name     string
	id       [16]byte
	internal bool
	parts    []partitionImage
}

type partitionImage struct {
	leader, epoch      int32
	replicas, isr, elr []int32
	offline            []int32
	minISR             int
	epochs             []epochStart
	// acks says that a write with acks=all is acknowledged at once: every replica in the ISR replicates, and has found the leader.
	acks bool
}

// image takes a picture of the model.
func (m *model) image() *image {
	img := &image{topics: make(map[string]*topicImage, len(m.topics)), byID: make(map[[16]byte]*topicImage, len(m.topics)), next: make(chan struct{})}
	img.quorum = quorumImage{active: m.active(), leader: m.leader, epoch: m.epoch}
	for _, n := range m.nodes {
		img.brokers = append(img.brokers, brokerImage{id: n.id, fenced: n.fenced, beats: n.beats()})
		img.quorum.voters = append(img.quorum.voters, voterImage{id: n.id, here: n.reachable(), end: n.end, lostAt: n.lostAt})
	}
	for name, t := range m.topics {
		ti := &topicImage{name: name, id: t.id, internal: t.internal}
		for _, p := range t.parts {
			pi := partitionImage{
				leader: p.leader, epoch: p.epoch, replicas: p.replicas, isr: slices.Clone(p.isr), elr: slices.Clone(p.elr), minISR: p.minISR, epochs: p.epochs,
				acks: !m.now.Before(p.settles) || len(p.isr) == 1,
			}
			for _, r := range p.replicas {
				if n := m.node(r); n == nil || n.fenced {
					pi.offline = append(pi.offline, r)
				}
			}
			for _, r := range p.isr {
				pi.acks = pi.acks && m.node(r).beats()
			}
			ti.parts = append(ti.parts, pi)
		}
		img.topics[name], img.byID[t.id] = ti, ti
	}
	return img
}

// topic finds one by name or, if that is empty, by id; nil if there is none.
func (img *image) topic(name string, id [16]byte) *topicImage {
	if name == "" && id != ([16]byte{}) {
		return img.byID[id]
	}
	return img.topics[name]
}

// partition finds one; nil if there is none.
func (img *image) partition(name string, id [16]byte, part int32) *partitionImage {
	t := img.topic(name, id)
	if t == nil || part < 0 || int(part) >= len(t.parts) {
		return nil
	}
	return &t.parts[part]
}

// alive lists the brokers that the controller counts on.
func (img *image) alive() []int32 {
	var ids []int32
	for _, b := range img.brokers {
		if !b.fenced {
			ids = append(ids, b.id)
		}
	}
	return ids
}
