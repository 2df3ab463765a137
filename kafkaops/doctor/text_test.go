package doctor

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	const risk, fix = "When its broker is lost it is gone.", "Raise it to 3."
	r := Report{Cluster: &Cluster{ID: "id", Brokers: make([]Broker, 3)}, Findings: []Finding{
		{Level: OK, Group: "Brokers", Check: "up", Subject: "brokers", What: "1, 2 and 3 answer"},
		{Level: OK, Group: "Topics", Check: "x", Subject: "7 topics", What: "fine"},
		{Level: Risk, Group: "Topics", Check: "copies", Subject: "a", What: "replication factor 1", Risk: risk, Fix: fix},
		{Level: Risk, Group: "Topics", Check: "copies", Subject: "b", What: "replication factor 1", Risk: risk, Fix: fix},
		{Level: Risk, Group: "Topics", Check: "copies", Subject: "c", What: "replication factor 1", Risk: risk, Fix: fix},
		{Level: Note, Group: "Topics", Check: "y", Subject: "a topic with a name longer than any column", What: "odd"},
	}}
	var b strings.Builder
	if err := Text(&b, r, 48, nil); err != nil {
		t.Fatal(err)
	}
	want := `Cluster id: 3 brokers, 0 topics, 0 partitions

Brokers
  ok    brokers  1, 2 and 3 answer

Topics
  risk  a, b and 1 more  replication factor 1
                         When its broker is lost
                         it is gone.
                         → Raise it to 3.
  note  a topic with a name longer than any column
                         odd
  ok    7 topics         fine

1 at risk (2 ok, 1 to note).
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestWrap(t *testing.T) {
	lines := wrap("one two three-and-a-half äöü four", 9)
	if strings.Join(lines, "|") != "one two|three-and-a-half|äöü four" {
		t.Errorf("got %q", lines)
	}
	for _, l := range lines {
		if n := utf8.RuneCountInString(l); n > 9 && strings.Contains(l, " ") {
			t.Errorf("%q is %d wide", l, n)
		}
	}
}
