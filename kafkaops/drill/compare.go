package drill

import (
	"cmp"
	"slices"
	"time"
)

// Summary is the write gaps of all faults of one kind.
type Summary struct {
	Kind          string
	N             int // measured and over
	Median, Worst time.Duration
	// NotOver is how many more ended while writes were stalled, by another fault or because the probe could tell no longer. Their gaps have no length
	// that could be compared; the longest was AtLeast so long.
	NotOver int
	AtLeast time.Duration
}

// Compare sums up timelines by kind, those first that cost the most. What was not measured, failed or is still open does not count.
func Compare(lines []Timeline) []Summary {
	gaps, sums := map[string][]time.Duration{}, map[string]*Summary{}
	for i := range lines {
		t := &lines[i]
		if !t.Probed || t.Open || t.Err != "" {
			continue
		}
		kind := t.Kind()
		if sums[kind] == nil {
			sums[kind] = &Summary{Kind: kind}
		}
		if t.AtLeast() {
			sums[kind].NotOver++
			sums[kind].AtLeast = max(sums[kind].AtLeast, t.Gap.Worst)
			continue
		}
		gaps[kind] = append(gaps[kind], t.Gap.Worst)
	}
	out := make([]Summary, 0, len(sums))
	for kind, s := range sums {
		if all := gaps[kind]; len(all) > 0 {
			slices.Sort(all)
			s.N, s.Median, s.Worst = len(all), all[len(all)/2], all[len(all)-1]
		}
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b Summary) int { return cmp.Or(cmp.Compare(b.cost(), a.cost()), cmp.Compare(a.Kind, b.Kind)) })
	return out
}

func (s Summary) cost() time.Duration {
	if s.N == 0 {
		return s.AtLeast
	}
	return s.Median
}
