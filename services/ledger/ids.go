package ledger

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
)

// uuid5 is RFC 9562's version 5: the SHA-1 of a namespace and a name, with version and variant in their places.
func uuid5(namespace [16]byte, name string) (id [16]byte) {
	h := sha1.New()
	h.Write(namespace[:])
	h.Write([]byte(name))
	copy(id[:], h.Sum(nil))
	id[6] = id[6]&0x0f | 0x50
	id[8] = id[8]&0x3f | 0x80
	return id
}

// shopNamespace is the UUIDv5 of "kassa" among URLs (RFC 9562, 6.6).
func shopNamespace() [16]byte {
	urls := [16]byte{0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}
	return uuid5(urls, "kassa")
}

// placeID is the checkout id of an event that has none: all that is certain about it is its place in the log.
func placeID(topic string, partition int32, offset int64) string {
	return uuidText(uuid5(shopNamespace(), fmt.Sprintf("checkout/%s/%d/%d", topic, partition, offset)))
}

func uuidText(id [16]byte) string {
	x := hex.EncodeToString(id[:])
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

// A checkout id in an entry: a byte that says how, and then either the 16 bytes of a UUID in its usual spelling, or a length and the text.
const (
	packedUUID = 0
	packedText = 1
	uuidSize   = 1 + 16
)

// appendID packs an id of at most maxID bytes.
func appendID(to []byte, id string) []byte {
	if raw, ok := parseUUID(id); ok {
		return append(append(to, packedUUID), raw[:]...)
	}
	to = append(to, packedText, byte(len(id)), byte(len(id)>>8))
	return append(to, id...)
}

// cutID splits an entry after its id, which stays packed.
func cutID(from []byte) (packed, rest []byte) {
	n := uuidSize
	if from[0] == packedText {
		n = 3 + int(from[1]) + int(from[2])<<8
	}
	return from[:n], from[n:]
}

// unpackID is the id as text.
func unpackID(packed string) string {
	if packed[0] == packedUUID {
		return uuidText([16]byte([]byte(packed[1:])))
	}
	return packed[3:]
}

// parseUUID reads a UUID in lower case with hyphens, and nothing else: what is packed must come out as it went in.
func parseUUID(id string) (raw [16]byte, ok bool) {
	if len(id) != 36 || id[8] != '-' || id[13] != '-' || id[18] != '-' || id[23] != '-' {
		return raw, false
	}
	at := 0
	for i := 0; i < 36; {
		if id[i] == '-' {
			i++
			continue
		}
		hi, lo := nibble(id[i]), nibble(id[i+1])
		if hi > 15 || lo > 15 {
			return raw, false
		}
		raw[at] = hi<<4 | lo
		at++
		i += 2
	}
	return raw, true
}

func nibble(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}
