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
}

// Compare sums up timelines by kind, those first that cost the most. What was not measured, failed or is not over does not count.
func Compare(lines []Timeline) []Summary {
	gaps := map[string][]time.Duration{}
	for i := range lines {
		if t := &lines[i]; t.Probed && !t.Open && t.Err == "" {
			gaps[t.Kind()] = append(gaps[t.Kind()], t.Gap.Worst)
		}
	}
	out := make([]Summary, 0, len(gaps))
	for kind, all := range gaps {
		slices.Sort(all)
		out = append(out, Summary{Kind: kind, N: len(all), Median: all[len(all)/2], Worst: all[len(all)-1]})
	}
	slices.SortFunc(out, func(a, b Summary) int { return cmp.Or(cmp.Compare(b.Median, a.Median), cmp.Compare(a.Kind, b.Kind)) })
	return out
}
