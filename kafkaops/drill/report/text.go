package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"kassa/kafkaops/drill"
)

// runes are the signs of phases in text, in the order of the legend.
func runes() []struct {
	mark drill.Mark
	sign rune
} {
	return []struct {
		mark drill.Mark
		sign rune
	}{
		{drill.ClientSaw, '×'},
		{drill.QuorumLost, '!'},
		{drill.ControllerElected, '◆'},
		{drill.QuorumBack, '◇'},
		{drill.LeadersLost, '▷'},
		{drill.LeadersMoved, '▶'},
		{drill.ISRShrank, '▽'},
		{drill.AcksResumed, '┃'},
		{drill.FlowResumed, '●'},
		{drill.BrokerBack, '○'},
		{drill.ISRFull, '□'},
		{drill.PreferredBack, '■'},
	}
}

const (
	labelWidth = 40 // columns for what was done to whom
	gapWidth   = 12 // for its write gap
	leastLane  = 24
)

// Timelines draws each fault of a result as a line of text: when what was seen after it, on one scale for all, and the time without acks as a bar. It
// is for a terminal of so many columns, and has no colour. Nil where there is nothing to draw.
func Timelines(r *drill.Result, width int) []string {
	all := acts(r)
	all = slices.DeleteFunc(all, func(f acted) bool { return len(f.Phases) == 0 })
	if len(all) == 0 {
		return nil
	}
	lane := max(width-labelWidth-gapWidth-2, leastLane)
	s := laneScale(all)
	lines := []string{strings.TrimRight(fitRunes("after the fault", labelWidth)+" "+scaleText(s, lane), " ")}
	for _, f := range all {
		who := faultText(f.FaultResult)
		if !f.recovery {
			who = fmt.Sprintf("%d %s", f.n, who)
		}
		gap := ""
		if f.WriteGapMs != nil {
			if gap = millis(*f.WriteGapMs); f.AtLeast {
				gap = "≥ " + gap
			}
		}
		line := fitRunes(who, labelWidth) + " " + laneText(f.FaultResult, s, lane) + " " + strings.Repeat(" ", max(gapWidth-utf8.RuneCountInString(gap), 0)) + gap
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return append(lines, legendText(all, width)...)
}

// laneText is one fault on the scale, in so many columns.
func laneText(f *drill.FaultResult, s scale, width int) string {
	cells := []rune(strings.Repeat(" ", width))
	column := func(ms float64) int { return int(math.Round(s.at(ms) * float64(width-1))) }
	if f.WriteGapMs != nil && *f.WriteGapMs > 0 {
		from, to, ok := gapSpan(f)
		for i := column(from); ok && i <= column(to); i++ {
			cells[i] = '━'
		}
		if ok && f.AtLeast {
			cells[column(to)] = '▸'
		}
	}
	signs := map[string]rune{}
	for _, r := range runes() {
		signs[string(r.mark)] = r.sign
	}
	for _, name := range sortedPhases(f) {
		sign, known := signs[name]
		if !known {
			sign = '│'
		}
		// What happened at the same moment stands side by side.
		at := column(f.Phases[name])
		for range 3 {
			if free := cells[at] == ' ' || cells[at] == '━'; free || at == width-1 {
				break
			}
			at++
		}
		cells[at] = sign
	}
	return string(cells)
}

// scaleText is the axis: each label ends or begins where its value is.
func scaleText(s scale, width int) string {
	cells := []rune(strings.Repeat(" ", width))
	end := -1
	for _, v := range s.ticks {
		label := []rune(millisTick(v))
		at := int(math.Round(s.at(v) * float64(width-1)))
		if from := min(at, width-len(label)); from > end {
			copy(cells[from:], label)
			end = from + len(label)
		}
	}
	return string(cells)
}

// legendText explains the signs that occur, in lines of at most so many columns.
func legendText(all []acted, width int) []string {
	lines := []string{"━ no acks"}
	for _, r := range runes() {
		if !slices.ContainsFunc(all, func(f acted) bool { _, ok := f.Phases[string(r.mark)]; return ok }) {
			continue
		}
		part := string(r.sign) + " " + string(r.mark)
		if last := &lines[len(lines)-1]; utf8.RuneCountInString(*last)+2+utf8.RuneCountInString(part) <= width {
			*last += "  " + part
		} else {
			lines = append(lines, part)
		}
	}
	return lines
}

// fitRunes is a text of exactly so many columns.
func fitRunes(s string, width int) string {
	r := []rune(s)
	if len(r) > width {
		return string(r[:width-1]) + "…"
	}
	return s + strings.Repeat(" ", width-len(r))
}
