package scenario

import (
	"errors"
	"testing"
)

// Whatever is in a file, it is a scenario that can be carried out or an error of one line.
func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	for _, name := range names() {
		f.Add(Source(name))
	}
	f.Add([]byte("name: &a [*a]\nsteps: !!x y\n"))
	f.Add([]byte("? {a: b}\n: c\n"))
	f.Add([]byte("<<: *a\nname: a\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse(text)
		if err != nil {
			if _, ours := errors.AsType[*Error](err); !ours {
				t.Fatalf("%v", err)
			}
			return
		}
		if s.Chaos != nil {
			s.Chaos.Faults = min(s.Chaos.Faults, 50)
			s.Steps = s.Draw(1)
		}
		for _, st := range s.Steps {
			if st.Act.ToBroker() && st.Act.ToService() {
				t.Fatalf("both to a broker and to a service: %+v", st)
			}
			if st.Act.On.Kind != NoTarget {
				if again, err := ParseTarget(st.Act.On.String()); err != nil || again != st.Act.On {
					t.Fatalf("%+v is written %q and read as %+v, %v", st.Act.On, st.Act.On, again, err)
				}
			}
		}
		s.Needs()
		s.Expect.CountsFor(s.Settings.Delivery)
	})
}
