package tui

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"kassa/kafkaops/tail"
)

// positions is how a place in a log may be said.
const positions = "latest, earliest, an offset (1200), a time (20:31, 2026-11-23 20:31:08) or an age (5m)"

// parsePosition reads a place in a log. A time of day is the last such time, and a duration is that long ago.
func parsePosition(text string, now time.Time) (tail.From, error) {
	text = strings.TrimSpace(text)
	switch strings.ToLower(text) {
	case "latest", "end", "":
		return tail.End(), nil
	case "earliest", "beginning":
		return tail.Beginning(), nil
	}
	if n, ok := parseOffset(text); ok {
		return tail.Offset(n), nil
	}
	if at, ok := parseTime(text, now); ok {
		return tail.Since(at), nil
	}
	return tail.From{}, fmt.Errorf("a place in a log is %s, not %q", positions, text)
}

func parseOffset(text string) (int64, bool) {
	n, err := strconv.ParseInt(strings.ReplaceAll(strings.TrimPrefix(text, "@"), ",", ""), 10, 64)
	return n, err == nil && n >= 0
}

func parseTime(text string, now time.Time) (time.Time, bool) {
	if d, err := time.ParseDuration(strings.TrimSuffix(strings.TrimPrefix(text, "-"), " ago")); err == nil && d >= 0 {
		return now.Add(-d), true
	}
	for _, layout := range []string{"15:04", "15:04:05", "15:04:05.999"} {
		if at, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			day := time.Date(now.Year(), now.Month(), now.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), now.Location())
			if day.After(now) {
				day = day.AddDate(0, 0, -1)
			}
			return day, true
		}
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02"} {
		if at, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}
