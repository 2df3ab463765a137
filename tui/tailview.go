package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// The frame of a tail: which topic, how it is read, and what keeps it from being read.

// behindMuch is from how many records on a tail that follows says that it is behind.
const behindMuch = 1000

// title is the topic with its key, in at most so many cells.
func (t *tailPane) title(p paneID, s Styles, room int) string {
	name := safe(t.topic)
	if len(name)+2 > room {
		name = strings.TrimSuffix(name, "-successful")
	}
	return s.Dim.Render(p.key()) + " " + s.Strong.Render(ansi.Truncate(name, max(room-2, 1), "…"))
}

// mode is how the tail is read, in a word or three. It comes from what the tail does, not from a timer.
func (t *tailPane) mode(s Styles, now time.Time) string {
	switch c := t.count; {
	case t.own != nil && t.own.err != "":
		return s.Bad.Render("NOT OPENED")
	case !c.Gone.IsZero():
		return s.Bad.Render("DELETED " + age(now.Sub(c.Gone)) + " ago")
	case c.Err != "":
		return s.Bad.Render("no answer for " + age(now.Sub(c.ErrSince)))
	case t.own != nil && t.own.paged:
		return s.Warn.Render("FROM " + t.own.from.String())
	case t.paused:
		return s.Warn.Render("PAUSED")
	case t.own != nil && t.own.tail == nil:
		return s.Dim.Render("OPENING")
	}
	return s.Good.Render("LIVE")
}

// beat moves by one with each batch that had records: it stands still when nothing comes.
func (t *tailPane) beat() string { return string([]rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")[t.beats%10]) }

// status is the mode and the figures, as many as have room.
func (t *tailPane) status(s Styles, now time.Time, room int) string {
	mode := t.mode(s, now)
	parts := []string{mode} // the most telling first
	if n := t.ring.next - t.shown().next; n > 0 {
		parts = append(parts, s.Dim.Render("+"+count(n)))
	}
	if n := t.hits(); n > 0 {
		parts = append(parts, s.Accent.Render(matchMark+count(n)))
	}
	if t.filter != "" {
		parts = append(parts, s.Accent.Render("/"+safe(t.filter)))
	}
	switch c := t.count; {
	case c.Err != "" || !c.Gone.IsZero():
	case t.own != nil && t.own.paged:
		parts = append(parts, s.Dim.Render(count(c.Behind)+" to come"))
	default:
		parts = append(parts, s.Dim.Render(t.beat()+" "+perSecond(t.rate.value(now))))
		if c.Behind > behindMuch {
			parts = append(parts, s.Warn.Render(count(c.Behind)+" behind"))
		}
	}
	if t.count.Skipped > 0 {
		parts = append(parts, s.Dim.Render(count(t.count.Skipped)+" not shown"))
	}
	text := strings.Join(parts, " ")
	if ansi.StringWidth(text) <= room {
		return text
	}
	if ansi.Strip(mode) == "LIVE" { // the beat says so too, and in the smallest pane the rate alone must do
		if parts = parts[1:]; len(parts) == 1 && ansi.StringWidth(parts[0]) > room {
			return s.Dim.Render(ansi.Truncate(perSecond(t.rate.value(now)), max(room, 0), "…"))
		}
	}
	for text = parts[0]; len(parts) > 1; parts = parts[1:] {
		if more := text + " " + parts[1]; ansi.StringWidth(more) <= room {
			text = more
		}
	}
	return ansi.Truncate(text, max(room, 0), "…")
}

// warnings are what keeps records from coming, a line each: at most two, the worst first.
func (t *tailPane) warnings(s Styles, now time.Time, w int) (lines []string) {
	add := func(text string) {
		if len(lines) < 2 {
			lines = append(lines, fit(" "+s.Bad.Render(text), w))
		}
	}
	if t.own != nil && t.own.err != "" {
		add(safe(t.own.err))
	}
	if gone := t.count.Gone; !gone.IsZero() {
		add("the topic was deleted at " + gone.Format("15:04:05") + "; it is read again if it is made anew")
		return lines
	}
	for _, q := range t.count.Silent {
		parts := "partition " + ids(q.Partitions)
		if len(q.Partitions) > 1 {
			parts = "partitions " + ids(q.Partitions)
		}
		if len(q.Partitions) > 6 {
			parts = plural(len(q.Partitions), "partition")
		}
		since := age(now.Sub(q.Since))
		if q.Leader < 0 {
			add(fmt.Sprintf("%s: no leader for %s", parts, since))
		} else {
			add(fmt.Sprintf("broker %d silent for %s: %s", q.Leader, since, parts))
		}
	}
	return lines
}
