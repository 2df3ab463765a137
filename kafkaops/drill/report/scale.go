package report

import (
	"math"
	"strconv"
)

// scale puts values on an axis.
type scale struct {
	lo, hi float64
	log    bool
	ticks  []float64
}

// logFrom is how many times the smallest value the largest has to be before a linear axis presses all but the worst against zero.
const logFrom = 50

// scaleOf fits an axis to values from least (above 0) to most. It begins at zero, unless they are so far apart that it has to be logarithmic.
func scaleOf(least, most float64) scale {
	if least > 0 && most/least >= logFrom {
		return logScale(least, most)
	}
	return linearScale(most, 5)
}

// linearScale goes from 0 to at least most, in about n round steps.
func linearScale(most float64, n int) scale {
	if !(most > 0) { // NaN as well
		most = 1
	}
	step := most / float64(n)
	decade := math.Pow(10, math.Floor(math.Log10(step)))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		if m*decade >= step*0.999 {
			step = m * decade
			break
		}
	}
	s := scale{}
	for i := 0; ; i++ {
		v := float64(i) * step
		s.ticks, s.hi = append(s.ticks, v), v
		if v >= most*0.999 {
			return s
		}
	}
}

// logScale goes from the power of ten below least to 1, 2 or 5 times the one at or below most.
func logScale(least, most float64) scale {
	s := scale{log: true, lo: math.Pow(10, math.Floor(math.Log10(least))), hi: math.Pow(10, math.Floor(math.Log10(most)))}
	for _, m := range []float64{1, 2, 5, 10} {
		if m*s.hi >= most {
			s.hi *= m
			break
		}
	}
	steps := []float64{1}
	if s.hi/s.lo <= 250 {
		steps = []float64{1, 2, 5}
	}
	for v := s.lo; v < s.hi*0.999; v *= 10 {
		for _, m := range steps {
			if m*v < s.hi*0.999 {
				s.ticks = append(s.ticks, m*v)
			}
		}
	}
	s.ticks = append(s.ticks, s.hi)
	return s
}

// timeScale is for seconds of a drill: it ends where the drill does, and its ticks are those of a clock.
func timeScale(seconds float64) scale {
	s := scale{hi: max(seconds, 1)}
	step := 1.0
	for _, step = range []float64{1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400} {
		if s.hi/step <= 8 {
			break
		}
	}
	for v := 0.0; v <= s.hi && len(s.ticks) < 100; v += step {
		s.ticks = append(s.ticks, v)
	}
	return s
}

// at is where v is, from 0 to 1. What is off the axis is at its end.
func (s scale) at(v float64) float64 {
	if s.log {
		if v <= s.lo {
			return 0
		}
		return min(math.Log(v/s.lo)/math.Log(s.hi/s.lo), 1)
	}
	if s.hi == s.lo {
		return 0
	}
	return min(max((v-s.lo)/(s.hi-s.lo), 0), 1)
}

// pct is where v is, as CSS and SVG want it.
func (s scale) pct(v float64) string { return percent(s.at(v)) }

func percent(part float64) string { return strconv.FormatFloat(part*100, 'f', 2, 64) + "%" }

// px is a length in an SVG.
func px(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }
