package drill

import (
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
)

func TestElectionsAreSharedOutToSteps(t *testing.T) {
	var all kadm.TopicsSet
	all.Add("a", 0, 1, 2)
	all.Add("b", 0, 1)
	for size, want := range map[int][]int{1: {1, 1, 1, 1, 1}, 2: {2, 2, 1}, 3: {3, 2}, 5: {5}, 9: {5}} {
		var sizes []int
		seen := map[string]bool{}
		for some := range inSteps(all, size) {
			n := 0
			some.Each(func(topic string, part int32) { n++; seen[fmt.Sprint(topic, part)] = true })
			sizes = append(sizes, n)
		}
		if !slices.Equal(sizes, want) || len(seen) != 5 {
			t.Errorf("in steps of %d: %v partitions of %v, want %v of all five", size, sizes, seen, want)
		}
	}
	for range inSteps(nil, 0) {
		t.Error("there is a step when nothing is to be done")
	}
}
