package doctor

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Text writes the report for people: a line a finding under its heading, and below it what is at risk and what to do. Lines are broken at
// width characters. paint may colour a mark word, which says the same without; nil for none.
func Text(w io.Writer, r Report, width int, paint func(Level, string) string) error {
	if paint == nil {
		paint = func(_ Level, word string) string { return word }
	}
	var b strings.Builder
	if c := r.Cluster; c != nil {
		n := 0
		for _, t := range c.Topics {
			n += len(t.Partitions)
		}
		fmt.Fprintf(&b, "Cluster %s: %d brokers, %d topics, %d partitions\n", c.ID, len(c.Brokers), len(c.Topics), n)
	}
	merged := merge(r.Findings)
	for _, g := range groups(merged) {
		fmt.Fprintf(&b, "\n%s\n", g[0].Group)
		pad := 0
		for _, f := range g {
			if n := utf8.RuneCountInString(f.Subject); n <= widest {
				pad = max(pad, n)
			}
		}
		indent := strings.Repeat(" ", indented+pad+2)
		for _, f := range g {
			mark := paint(f.Level, string(f.Level)) + strings.Repeat(" ", len(Note)-len(f.Level))
			fmt.Fprintf(&b, "  %s  %-*s", mark, pad, f.Subject)
			if utf8.RuneCountInString(f.Subject) > pad {
				b.WriteString("\n" + indent)
			} else {
				b.WriteString("  ")
			}
			var lines []string
			for _, text := range []string{f.What, f.Risk, arrow(f.Fix)} {
				lines = append(lines, wrap(text, width-len(indent))...)
			}
			fmt.Fprintln(&b, strings.Join(lines, "\n"+indent))
		}
	}
	fmt.Fprintf(&b, "\n%s\n", verdict(Report{Findings: merged}))
	_, err := io.WriteString(w, strings.TrimPrefix(b.String(), "\n"))
	return err
}

// indented is where subjects begin: two spaces, the mark word, two spaces.
const indented = 2 + len(Note) + 2

// widest is the longest subject that others are aligned with.
const widest = 28

func arrow(fix string) string {
	if fix == "" {
		return ""
	}
	return "→ " + fix
}

func verdict(r Report) string {
	risks, notes := r.Count(Risk), r.Count(Note)
	if risks == 0 {
		return fmt.Sprintf("Nothing is at risk (%d ok, %d to note).", r.Count(OK), notes)
	}
	return fmt.Sprintf("%d at risk (%d ok, %d to note).", risks, r.Count(OK), notes)
}

// merge makes one finding of those that differ in their subject alone: a cluster with a thousand topics has few kinds of trouble.
func merge(in []Finding) []Finding {
	var out []Finding
	subjects := make(map[Finding][]string)
	for _, f := range in {
		key := f
		key.Subject = ""
		if subjects[key] == nil {
			out = append(out, f)
		}
		subjects[key] = append(subjects[key], f.Subject)
	}
	const named = 2
	for i, f := range out {
		f.Subject = ""
		names := subjects[f]
		if more := len(names) - named; more > 0 {
			names = append(slices.Clone(names[:named]), fmt.Sprintf("%d more", more))
		}
		out[i].Subject = list(names)
	}
	return out
}

// groups splits findings by their heading, in the order in which headings come up, the worst first in each.
func groups(in []Finding) [][]Finding {
	var out [][]Finding
	at := make(map[string]int)
	for _, f := range in {
		i, ok := at[f.Group]
		if !ok {
			i = len(out)
			at[f.Group] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], f)
	}
	worst := []Level{Risk, Note, OK}
	for _, g := range out {
		slices.SortStableFunc(g, func(a, b Finding) int { return slices.Index(worst, a.Level) - slices.Index(worst, b.Level) })
	}
	return out
}

// wrap breaks a text into lines of at most width characters; a longer word has a line of its own.
func wrap(text string, width int) []string {
	var out []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			out, line = append(out, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	if line == "" {
		return out
	}
	return append(out, line)
}
