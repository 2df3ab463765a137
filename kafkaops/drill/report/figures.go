package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// count is a whole number, its digits in threes: 1,000,412.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "−", s[1:]
	}
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return sign + b.String()
}

// millis is a duration in ms as it is read: 3.4 ms, 1,502 ms, 31.2 s.
func millis(ms float64) string {
	switch {
	case ms < 9.95:
		return strconv.FormatFloat(ms, 'f', 1, 64) + " ms"
	case ms < 9_999.5:
		return count(int64(math.Round(ms))) + " ms"
	}
	return strconv.FormatFloat(ms/1000, 'f', 1, 64) + " s"
}

// clock is a time in a drill: 41 s, 3:07, 1:02:03.
func clock(seconds float64) string {
	s := int64(math.Round(seconds))
	switch {
	case s < 100:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d:%02d min", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d h", s/3600, s/60%60, s%60)
}

// after is when in a drill something was, with tenths: +41.3 s, +3:07.3.
func after(d time.Duration) string {
	t := d.Round(100 * time.Millisecond)
	tenth := t % time.Second / (100 * time.Millisecond)
	s := int64(t / time.Second)
	switch {
	case s < 100:
		return fmt.Sprintf("+%d.%d s", s, tenth)
	case s < 3600:
		return fmt.Sprintf("+%d:%02d.%d", s/60, s%60, tenth)
	}
	return fmt.Sprintf("+%d:%02d:%02d.%d", s/3600, s/60%60, s%60, tenth)
}

// plural is "1 fault", "2 faults".
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(int64(n)) + " " + one + "s"
}
