package analytics

import (
	"cmp"
	"slices"
	"strings"

	"kassa/services/events"
)

// MaxProducts is how many products are told apart by name. When there are more, the one that sold least makes room, and what it sold counts
// among the others from then on.
const MaxProducts = 256

// TopProducts is how many products a Span lists; the rest is summed up.
const TopProducts = 20

// Product is what was sold under one name.
type Product struct {
	Name    string // printable and at most 49 characters, whatever was written; empty for several together
	Count   int64
	Revenue events.Money
}

type sold struct {
	count   int64
	revenue events.Money
}

func (s *sold) add(o sold) {
	s.count += o.count
	s.revenue = plus(s.revenue, o.revenue)
}

// products gives names a number, from 1; 0 is all others.
type products struct {
	number map[string]int
	names  [MaxProducts + 1]string
	total  [MaxProducts + 1]sold
}

func newProducts() products { return products{number: make(map[string]int)} }

// of is the number of a product. It may take the number of another, whose sales it then moves in m as well.
func (p *products) of(name string, m *minute) int {
	if i, ok := p.number[name]; ok {
		return i
	}
	if name = strings.Clone(plain(name)); name == "" { // a clone, since it may be a piece of a large text
		name = "(no name)"
	}
	if i, ok := p.number[name]; ok {
		return i
	}
	i := len(p.number) + 1
	if i > MaxProducts {
		i = p.least()
		delete(p.number, p.names[i])
		move(&p.total, i)
		m.since(0, func(s *second) { move(&s.sold, i) })
	}
	p.number[name], p.names[i] = i, name
	return i
}

func (p *products) least() int {
	least := 1
	for i := 2; i <= MaxProducts; i++ {
		if p.total[i].count < p.total[least].count {
			least = i
		}
	}
	return least
}

// move puts what product i sold among the others.
func move(in *[MaxProducts + 1]sold, i int) {
	in[0].add(in[i])
	in[i] = sold{}
}

// top lists the products of a span by revenue, and what the rest sold.
func (p *products) top(in *[MaxProducts + 1]sold) (list []Product, others Product) {
	for i := 1; i <= len(p.number); i++ {
		if in[i].count > 0 {
			list = append(list, Product{Name: p.names[i], Count: in[i].count, Revenue: in[i].revenue})
		}
	}
	slices.SortFunc(list, func(a, b Product) int {
		return cmp.Or(cmp.Compare(b.Revenue, a.Revenue), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
	})
	rest := in[0]
	if len(list) > TopProducts {
		for _, one := range list[TopProducts:] {
			rest.add(sold{one.Count, one.Revenue})
		}
		list = slices.Clip(list[:TopProducts])
	}
	return list, Product{Count: rest.count, Revenue: rest.revenue}
}
