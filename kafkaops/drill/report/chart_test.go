package report

import (
	"strings"
	"testing"

	"kassa/kafkaops/drill"
)

// Where nothing was acknowledged the line ends and begins anew; a value between two such gaps is a dot.
func TestGapsAreGaps(t *testing.T) {
	values := []*float64{ptr(5), ptr(6), nil, nil, ptr(900), nil, ptr(7), ptr(5)}
	var samples []drill.Sample
	for i := range values {
		samples = append(samples, drill.Sample{At: float64(i + 1)})
	}
	c := plot(frame{unit: millisTick, seconds: 8}, samples, series{"usual", "p50", values, middle})
	if got := strings.Count(c.Lines[0].Path, "M"); got != 3 {
		t.Errorf("%d pieces: %s", got, c.Lines[0].Path)
	}
	if len(c.Lines[0].Dots) != 1 || c.Lines[0].Dots[0].X != "56.25%" {
		t.Errorf("dots %v", c.Lines[0].Dots)
	}
	if !c.Log {
		t.Error("5 ms and 900 ms are on one linear axis")
	}
	n := c.still(samples, 8, "nothing", values)
	if n != 3 || len(c.Still) != 2 || c.Still[0] != (span{"25.00%", "25.00%"}) {
		t.Errorf("%d still seconds, %v", n, c.Still)
	}
}

// Time of which there is no sample is a gap as well.
func TestMissingSamplesAreGaps(t *testing.T) {
	samples := []drill.Sample{{At: 1}, {At: 2}, {At: 30}, {At: 31}}
	c := plot(frame{unit: millisTick, seconds: 31}, samples, series{"usual", "p50", []*float64{ptr(5), ptr(5), ptr(6), ptr(6)}, middle})
	if got := strings.Count(c.Lines[0].Path, "M"); got != 2 {
		t.Errorf("%d pieces: %s", got, c.Lines[0].Path)
	}
}

func TestNothingToDraw(t *testing.T) {
	if c := plot(frame{unit: millisTick}, []drill.Sample{{At: 1}}, series{"usual", "p50", []*float64{nil}, middle}); c != nil {
		t.Errorf("%+v", c)
	}
}

// An hour of seconds becomes as many points as can be told apart, and the worst second stays in it.
func TestAnHourKeepsItsWorstSecond(t *testing.T) {
	var samples []drill.Sample
	var values []*float64
	for i := range 3600 {
		samples, values = append(samples, drill.Sample{At: float64(i + 1)}), append(values, ptr(10))
	}
	values[1777] = ptr(4321)
	c := plot(frame{unit: millisTick, seconds: 3600}, samples, series{"worse", "p99", values, largest})
	if !strings.Contains(c.Note, "6 seconds") || len(c.Lines[0].Path) > 2000 {
		t.Errorf("%q, %d bytes", c.Note, len(c.Lines[0].Path))
	}
	top := px(c.down(scaleOf(10, 4321), 4321))
	if !strings.Contains(c.Lines[0].Path, " "+top) {
		t.Errorf("no point at %s in %s", top, c.Lines[0].Path)
	}
}

func TestScales(t *testing.T) {
	for _, c := range []struct {
		least, most float64
		log         bool
		hi          float64
	}{{1, 4, false, 4}, {100, 2044, false, 2500}, {4, 1500, true, 2000}, {0, 0, false, 1}, {0, 10, false, 10}, {0.5, 90, true, 100}} {
		s := scaleOf(c.least, c.most)
		if s.log != c.log || s.hi != c.hi || s.at(c.most) > 1 || s.at(s.hi) != 1 || s.at(s.lo) != 0 {
			t.Errorf("%v to %v: %+v", c.least, c.most, s)
		}
		if s.hi < c.most || len(s.ticks) > 12 {
			t.Errorf("%v to %v: ticks %v", c.least, c.most, s.ticks)
		}
	}
	if s := timeScale(3610); len(s.ticks) > 9 || s.at(3610) != 1 {
		t.Errorf("%+v", s)
	}
}

func TestFigures(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{count(1_000_412), "1,000,412"},
		{count(-5), "−5"},
		{count(999), "999"},
		{millis(3.44), "3.4 ms"},
		{millis(9.97), "10 ms"},
		{millis(1502.4), "1,502 ms"},
		{millis(31_240), "31.2 s"},
		{clock(41), "41 s"},
		{clock(187), "3:07 min"},
		{clock(3723), "1:02:03 h"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

// A fault whose gap was not over, or that failed, spoils no median.
func TestKindsCountOnlyWhatCanBeCompared(t *testing.T) {
	r := fixture("chaos", 4, 10)
	r.Recoveries = nil
	for i := range r.Faults {
		r.Faults[i].Kind, r.Faults[i].Controller = "kill", false
	}
	r.Faults[0].WriteGapMs, r.Faults[1].WriteGapMs, r.Faults[2].WriteGapMs, r.Faults[3].WriteGapMs = ptr(1000), ptr(60_000), ptr(5), nil
	r.Faults[1].AtLeast, r.Faults[2].Err = true, "it would not die"
	v := newFaults("x", r)
	if len(v.Kinds) != 1 || v.Failed != 1 {
		t.Fatalf("%+v", v)
	}
	k := v.Kinds[0]
	if k.N != 4 || k.Gap != (sum{1, "1,000 ms", "1,000 ms"}) || k.NotOver != "1 not over: at least 60.0 s" || k.Unknown != 1 || k.Failed != 1 {
		t.Errorf("%+v", k)
	}
}

// A sample of several seconds is drawn as checkouts a second.
func TestThroughputIsASecond(t *testing.T) {
	r := &drill.Result{Seconds: 20}
	for i := range 10 {
		r.Samples = append(r.Samples, drill.Sample{At: float64(2*i + 2), Accepted: 400, Complete: 400})
	}
	for _, c := range charts("x", r) {
		if c.ID == "x-throughput" && c.Y[len(c.Y)-1].Label == "200/s" && strings.Contains(c.Note, "2 seconds") {
			return
		}
	}
	t.Error("200 a second are not drawn as such")
}
