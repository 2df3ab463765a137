package compare

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Count is a whole number, its digits in threes.
func Count(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Millis is a time in ms as it is read.
func Millis(ms float64) string {
	if ms < 9.95 {
		return strconv.FormatFloat(ms, 'f', 1, 64) + " ms"
	}
	return Count(int64(math.Round(ms))) + " ms"
}

// Ratio is as many digits as mean something: 8.0, 120.
func Ratio(r float64) string {
	if r >= 99.5 {
		return Count(int64(math.Round(r)))
	}
	return fmt.Sprintf("%.1f", r)
}

// text is a measure's middle as it is read, with what is not over; "–" where there is none.
func (m Measure) text() (median, worst string) {
	median, worst = "–", "–"
	if m.N > 0 {
		median, worst = Millis(m.Median), Millis(m.Worst)
	}
	if m.NotOver > 0 && (m.N == 0 || m.AtLeast > m.Worst) {
		worst = "≥ " + Millis(m.AtLeast)
	}
	return median, worst
}

// Text writes the comparison for people: a table, and the sentences below it, broken at width characters. clean is asked to take from what others
// wrote whatever could draw on a terminal.
func (c *Comparison) Text(w io.Writer, width int, clean func(string) string) error {
	var b strings.Builder
	for i, s := range c.Sides {
		promise := "promises that nothing is lost and nothing done twice"
		if !s.Promises {
			promise = "allows that an acknowledged order is lost"
		}
		fmt.Fprintf(&b, "  %s  %s: %s; %d of %d runs, %s accepted\n", letter(i), s.Name, promise, s.Runs, c.Runs, Count(s.Accepted))
	}
	rows := [][]string{{"", "A median", "worst", "B median", "worst", "A ÷ B"}}
	for _, t := range c.Times {
		am, aw := t.Sides[0].text()
		bm, bw := t.Sides[1].text()
		ratio := "–"
		if t.Ratio != nil {
			ratio = Ratio(*t.Ratio)
			if *t.Ratio < 0.995 {
				ratio = strconv.FormatFloat(*t.Ratio, 'f', 2, 64)
			}
		}
		rows = append(rows, []string{t.Name, am, aw, bm, bw, ratio})
	}
	table(&b, rows)
	rows = [][]string{{"", "A", "in runs", "B", "in runs", ""}}
	for _, t := range c.Counts {
		row := []string{t.Name}
		for i, n := range t.Sides {
			row = append(row, Count(n.N), fmt.Sprintf("%d of %d", n.Runs, c.Sides[i].Audited))
		}
		rows = append(rows, append(row, ""))
	}
	table(&b, rows)
	if len(c.Differences) > 0 {
		b.WriteString("\n")
	}
	for _, d := range c.Differences {
		para(&b, "  ", d.Text, width)
		para(&b, "    ", "("+d.Source+")", width)
	}
	c.lostText(&b, width, clean)
	for _, n := range c.Notes {
		para(&b, "  note: ", clean(n), width)
	}
	for _, r := range c.Reasons {
		para(&b, "  ", clean(r), width)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// lostListed is how many lost orders of a side are listed.
const lostListed = 10

func (c *Comparison) lostText(b *strings.Builder, width int, clean func(string) string) {
	for i, s := range c.Sides {
		for n, f := range s.Lost {
			if n == 0 {
				fmt.Fprintf(b, "\n  lost with %s (%s):\n", letter(i), s.Name)
			}
			if n == lostListed {
				fmt.Fprintf(b, "    … and %s more; --json and --report list them\n", Count(int64(len(s.Lost)-n)))
				break
			}
			where := ""
			if len(f.Where) > 0 {
				where = " (" + strings.Join(f.Where, ", ") + ")"
			}
			para(b, "    ", clean(fmt.Sprintf("run %d, %s: %s%s", f.Run, f.Checkout, f.Detail, where)), width)
		}
	}
}

// table aligns the first column to the left and the others to the right.
func table(b *strings.Builder, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	widths[0] = max(widths[0], 20)
	for i := 1; i < len(widths); i++ {
		widths[i] = max(widths[i], 9)
	}
	b.WriteString("\n")
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				line.WriteString("  " + cell + pad)
			} else {
				line.WriteString("  " + pad + cell)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// para writes a text broken at width, every line but the first indented like it.
func para(b *strings.Builder, lead, text string, width int) {
	indent := strings.Repeat(" ", utf8.RuneCountInString(lead))
	line := lead
	empty := true
	for _, word := range strings.Fields(text) {
		if !empty && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			b.WriteString(line + "\n")
			line, empty = indent, true
		}
		if !empty {
			line += " "
		}
		line += word
		empty = false
	}
	b.WriteString(line + "\n")
}
