package local

import (
	"net"
	"slices"
	"strconv"
	"testing"
)

func listen(t *testing.T, port int) {
	t.Helper()
	l, err := net.Listen("tcp", loopback(port))
	if err != nil {
		t.Skipf("another program has port %d", port)
	}
	t.Cleanup(func() { l.Close() })
}

func TestThreeOtherPortsWhenOneIsTaken(t *testing.T) {
	p := &ports{}
	t.Cleanup(p.release)
	dir := t.TempDir()
	const first = 21094
	listen(t, first+1)
	row := p.scan(t.Context(), dir, first, nodeCount)
	if len(row) != nodeCount || slices.Contains(row, first+1) || row[0] < first || row[2] != row[0]+2 || row[2] > lastPort {
		t.Errorf("got %v", row)
	}
	if len(p.locks) != nodeCount {
		t.Errorf("%d locks for %v: those of rows that were given up must be free again", len(p.locks), row)
	}
}

func TestAKilledBrokersPortStaysItsOwn(t *testing.T) {
	dir := t.TempDir()
	one, other := &ports{}, &ports{}
	t.Cleanup(one.release)
	t.Cleanup(other.release)
	a := one.scan(t.Context(), dir, 21194, nodeCount)
	b := other.scan(t.Context(), dir, 21194, nodeCount) // nobody listens on a
	for _, port := range a {
		if slices.Contains(b, port) {
			t.Errorf("%d given to both: %v and %v", port, a, b)
		}
	}
	one.release()
	again := &ports{}
	t.Cleanup(again.release)
	if c := again.scan(t.Context(), dir, 21194, nodeCount); !slices.Equal(c, a) {
		t.Errorf("after the release got %v, want %v", c, a)
	}
}

func TestNoPortsFromTheEphemeralRange(t *testing.T) {
	p := &ports{}
	t.Cleanup(p.release)
	listen(t, lastPort)
	if row := p.scan(t.Context(), t.TempDir(), lastPort-1, nodeCount); row != nil {
		t.Errorf("got %v", row)
	}
}

func TestExplicitPortsAreTakenOrRefused(t *testing.T) {
	want := []int{21394, 21397, 21399}
	p, err := choosePorts(t.Context(), want, t.TempDir(), nodeCount)
	if err != nil {
		t.Skipf("another program has one of %v: %v", want, err)
	}
	defer p.release()
	if !slices.Equal(p.clients, want) || p.moved || len(p.quorum) != nodeCount {
		t.Errorf("got %+v", p)
	}
	listen(t, 21399)
	_, err = choosePorts(t.Context(), want, t.TempDir(), nodeCount)
	userError(t, err, strconv.Itoa(21399), "in use")
}
