package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"kassa/services/events"
)

// The cart of pane 1: what the catalogue has, how much of it c checks out, and for whom.

// guest is who checks out until a person says otherwise, and again when they say nobody.
const guest = "guest"

// cart is the catalogue with quantities. Its rows are the products, and after them the load.
type cart struct {
	products []events.Item
	wanted   []int // of each product
	limit    int   // how many items it holds
	user     string
	at       int // the selected row; len(products): the load
}

// newCart is one of each of the first three products, as the demo's: the whole of its catalogue. Selected is the load.
func newCart(products []events.Item, limit int) cart {
	c := cart{products: products, wanted: make([]int, len(products)), limit: limit, user: guest, at: len(products)}
	for i := range min(3, len(products), limit) {
		c.wanted[i] = 1
	}
	return c
}

// items are the lines as they go onto the wire, where a quantity of n is n items.
func (c *cart) items() []events.Item {
	var list []events.Item
	for i, n := range c.wanted {
		list = append(list, slices.Repeat(c.products[i:i+1], n)...)
	}
	return list
}

func (c *cart) size() (n int) {
	for _, w := range c.wanted {
		n += w
	}
	return n
}

func (c *cart) total() (sum int64) {
	for i, n := range c.wanted {
		sum += int64(n) * int64(c.products[i].Price)
	}
	return sum
}

// onProduct says that keys act on a product of the cart, and not on the load.
func (m *Model) onProduct() bool { return m.focus == paneCheckout && m.cart.at < len(m.cart.products) }

// change is more or less of the selected product.
func (m *Model) change(by int) tea.Cmd {
	c := &m.cart
	if by > 0 && c.size() >= c.limit {
		m.say(true, fmt.Sprintf("a cart holds at most %s", plural(c.limit, "item")))
		return nil
	}
	c.wanted[c.at] = max(c.wanted[c.at]+by, 0)
	return nil
}

func (m *Model) remove() tea.Cmd {
	m.cart.wanted[m.cart.at] = 0
	return nil
}

func (m *Model) renameUser() tea.Cmd {
	return m.ask("user", m.cart.user, m.setUser)
}

// setUser says who checks out; nobody is a guest.
func (m *Model) setUser(name string) {
	if m.cart.user = strings.TrimSpace(name); m.cart.user == "" {
		m.cart.user = guest
	}
}

// cartLines is the cart in at most h lines: the whole catalogue if it fits, around the selected product while one is, else what is wanted.
// First is the product on the first line if they follow each other from there, else -1.
func (m *Model) cartLines(w, h int) (lines []string, first int) {
	s, c := m.styles, &m.cart
	var rows []int
	for i := range c.products {
		rows = append(rows, i)
	}
	switch {
	case h <= 0:
		return nil, -1
	case len(rows) <= h:
	case m.onProduct():
		from, to := window(len(rows), c.at, c.at-(h-1)/2, h-1)
		rows = rows[from:to]
	default:
		rows = slices.DeleteFunc(rows, func(i int) bool { return c.wanted[i] == 0 })
		first = -1
		rows = rows[:min(len(rows), h-1)]
	}
	if first == 0 && len(rows) > 0 {
		first = rows[0]
	}
	for _, i := range rows {
		lines = append(lines, m.cartLine(i, w))
	}
	if n := len(c.products); len(rows) < n {
		text := fmt.Sprintf(" %s in the catalogue", count(n))
		if first >= 0 {
			text = fmt.Sprintf(" %d-%d of %d", first+1, first+len(rows), n)
		}
		lines = append(lines, s.Dim.Render(fit(text, w)))
	}
	return lines, first
}

func (m *Model) cartLine(i, w int) string {
	s, c := m.styles, &m.cart
	digits := len(fmt.Sprint(slices.Max(c.wanted)))
	left := fmt.Sprintf("%s%*d %s", m.rowMark(i), digits, c.wanted[i], safe(c.products[i].Name))
	text := sides(left, " "+money(int64(c.products[i].Price)*int64(max(c.wanted[i], 1)))+margin(w), w)
	switch {
	case m.onProduct() && c.at == i:
		return s.Select.Render(text)
	case c.wanted[i] == 0:
		return s.Dim.Render(text)
	}
	return text
}

// rowMark is what stands before a row of pane 1.
func (m *Model) rowMark(i int) string {
	if m.focus == paneCheckout && m.cart.at == i {
		return "▶"
	}
	return " "
}

// margin keeps figures off the frame where there is room.
func margin(w int) string {
	if w < 26 {
		return ""
	}
	return " "
}

func (m *Model) totalLine(w int) string {
	s, n := m.styles, m.cart.size()
	sum := "Rs " + money(m.cart.total()) + margin(w)
	left := " total"
	if n != len(m.cart.products) {
		for _, text := range []string{" total of " + plural(n, "item"), " total of " + count(n)} {
			if len(text)+1+len(sum) <= w {
				left = text
				break
			}
		}
	}
	return sides(s.Dim.Render(left), s.Strong.Render(sum), w)
}
