package ledger

import (
	"cmp"
	"slices"
	"sort"
)

// order of the kinds, the worst first.
var severity = []string{
	KindLost, KindDuplicated, KindChangedAmount, KindWithoutCause, KindOutOfOrder,
	KindDeadLettered, KindUnjudged, KindIndeterminate, KindRepeated, KindMailedTwice, KindInFlight,
}

// findings keeps the first of all, by severity and checkout: which they are does not depend on the order in which they come.
type findings struct {
	most int
	all  []Finding
	more int64
}

// wants says whether one of this kind and checkout would be kept; if not it is counted. Most are not, and need no words.
func (f *findings) wants(kind, checkout string) bool {
	if len(f.all) < f.most {
		return true
	}
	if f.most > 0 && less(Finding{Kind: kind, Checkout: checkout}, f.all[len(f.all)-1]) {
		return true
	}
	f.more++
	return false
}

func (f *findings) add(x Finding) {
	i := sort.Search(len(f.all), func(i int) bool { return less(x, f.all[i]) })
	f.all = slices.Insert(f.all, i, x)
	if len(f.all) > f.most {
		f.all = f.all[:f.most]
		f.more++
	}
}

func less(a, b Finding) bool {
	return cmp.Or(cmp.Compare(slices.Index(severity, a.Kind), slices.Index(severity, b.Kind)), cmp.Compare(a.Checkout, b.Checkout)) < 0
}
