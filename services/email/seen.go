package email

import "hash/maphash"

// remembered is how many mails back a repeat is recognised: some five minutes at 200 a second, in 2 MB.
const remembered = 1 << 16

// seen tells mails that were there before from new ones, by their Message-IDs, the newest of them. It is not for several goroutines.
type seen struct {
	hash maphash.Seed
	ids  map[uint64]struct{} // 64 bits of a hash: two of 65,536 ids agree once in some nine billion such sets
	ring []uint64            // in the order they came; full, the oldest makes room
	next int
}

func newSeen() *seen { return &seen{hash: maphash.MakeSeed(), ids: map[uint64]struct{}{}} }

// again says whether id was there before, and remembers it.
func (s *seen) again(id string) bool {
	h := maphash.String(s.hash, id)
	if _, ok := s.ids[h]; ok {
		return true
	}
	s.ids[h] = struct{}{}
	if len(s.ring) < remembered {
		s.ring = append(s.ring, h)
		return false
	}
	delete(s.ids, s.ring[s.next])
	s.ring[s.next] = h
	s.next = (s.next + 1) % remembered
	return false
}
