package payment

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// Old keys are forgotten in their turn, young ones only when there are far too many.
func TestOldKeysAreForgotten(t *testing.T) {
	t.Parallel()
	now := time.Now()
	k := newKeys(2, 4)
	settle := func(name string) {
		p := &promise{key: name, till: &till{}, done: make(chan struct{})}
		k.join(p)
		k.settled(p, now)
	}
	want := func(what string, names ...string) {
		t.Helper()
		var got []string
		for name, p := range k.known {
			got = append(got, name)
			if p.till != nil {
				t.Errorf("%s: %s keeps its till", what, name)
			}
		}
		if slices.Sort(got); !slices.Equal(got, names) || k.settles.Len() != len(names) {
			t.Errorf("%s: %q are known, want %q", what, got, names)
		}
	}
	for i := range 4 {
		settle(fmt.Sprint("a", i))
		now = now.Add(time.Second)
	}
	want("all are young", "a0", "a1", "a2", "a3")
	settle("a4")
	want("too many", "a1", "a2", "a3", "a4")
	now = now.Add(keptFor - 2*time.Second)
	settle("b0")
	want("a1 is of age, and a2", "a3", "a4", "b0")
	now = now.Add(keptFor)
	settle("b1")
	want("all are old", "b0", "b1")
}
