package ledger

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// promisesOf is all that a book holds, with what was answered by now as it was.
func promisesOf(t *testing.T, b *Book, at mark) []string {
	t.Helper()
	var all []string
	if _, err := b.each(at, func(p Promise) error {
		all = append(all, fmt.Sprintf("%s %s %d", p.Checkout, p.Outcome, p.Amount))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

// Many customers at once, more of them than fit into memory: none is forgotten, and no file can be seen.
func TestBookForgetsNobody(t *testing.T) {
	dir := t.TempDir()
	b := NewBook(dir)
	const each, customers = 5000, 8
	var wg sync.WaitGroup
	for c := range customers {
		wg.Go(func() {
			for i := range each {
				id := fmt.Sprintf("checkout-%d-%d", c, i)
				b.Ask(id, int64(i))
				if i%10 > 0 {
					b.Answer(id, Outcome(1+i%3), int64(i))
				}
			}
		})
	}
	wg.Wait()
	if b.spool.size == 0 {
		t.Error("nothing was written out: the test is too small")
	}
	all := promisesOf(t, b, b.mark())
	if len(all) != each*customers || len(slices.Compact(all)) != each*customers {
		t.Errorf("%d promises, want %d", len(all), each*customers)
	}
	if c := b.Counts(); c.Pending != each*customers/10 || c.Accepted+c.Refused+c.Unknown+c.Pending != each*customers {
		t.Errorf("%+v", c)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

// What is acknowledged after an audit has begun may be on either side of the ends that it reads to: it is unknown.
func TestAnswersAfterTheMarkAreUnknown(t *testing.T) {
	b := NewBook(t.TempDir())
	defer b.Close()
	b.Answer("a", Accepted, 1)
	m := b.mark()
	b.Answer("b", Accepted, 2)
	b.Answer("c", Refused, 3)
	b.Ask("d", 4)
	b.Answer("", Refused, 5)
	if got, want := promisesOf(t, b, m), []string{"a accepted 1", "b unknown 2", "c refused 3", "d unknown 4"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestPromisesInAFile(t *testing.T) {
	b := NewBook(t.TempDir())
	defer b.Close()
	before := time.Now().Add(-time.Second)
	b.Ask("a\"\n", 199990)
	b.Answer("a\"\n", Accepted, 199990)
	b.Answer("b", Refused, NoAmount)
	b.Ask("c", 5)
	var file bytes.Buffer
	if n, err := b.WriteTo(&file); err != nil || n != int64(file.Len()) || !strings.HasPrefix(file.String(), `{"checkoutId":"a\"\n","outcome":"accepted","amount":1999.9,"at":"`) {
		t.Errorf("%d, %v: %s", n, err, file.String())
	}
	again, err := ReadBook(&file, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if got, want := promisesOf(t, again, again.mark()), promisesOf(t, b, b.mark()); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if at := again.Begun(); at.Before(before) || at.After(time.Now()) {
		t.Errorf("it is begun at %s", at)
	}
	timeless, err := ReadBook(strings.NewReader(`{"checkoutId":"a","outcome":"accepted","amount":1e2}`+"\n\n"), t.TempDir())
	if err != nil || !timeless.Begun().IsZero() {
		t.Errorf("%v, begun at %s", err, timeless.Begun())
	}
	defer timeless.Close()
	for text, want := range map[string]string{
		`{"checkoutId":"a","outcome":"accepted"}` + "\nhello": "line 2: is no promise", `{"outcome":"accepted"}`: "line 1: checkoutId is 1 to 256 bytes, not 0",
		`{"checkoutId":"a"}`: `line 1: outcome is accepted, refused or unknown, not ""`, `{"checkoutId":"a","outcome":"unknown","amount":-1}`: "line 1: amount is no amount",
		`{"checkoutId":"a","outcome":"unknown"}{}`: "more than one JSON value", `{"checkoutId":"` + strings.Repeat("a", 9000): "after line 0: bufio.Scanner: token too long",
	} {
		if _, err := ReadBook(strings.NewReader(text), t.TempDir()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
}

// A book that cannot be written says so instead of forgetting. It counts on, and keeps no answers that nobody can read.
func TestBookThatCannotBeWritten(t *testing.T) {
	b := NewBook(t.TempDir() + "/nowhere")
	const answers = bookBuffer / 8
	for i := range answers {
		b.Answer(fmt.Sprintf("checkout-%d", i), Accepted, 1)
	}
	if n, c := cap(b.buf), b.Counts(); n > 0 || c.Accepted != answers {
		t.Errorf("%d bytes wait to be written after %+v", n, c)
	}
	if _, err := b.each(b.mark(), func(Promise) error { return nil }); err == nil || !strings.Contains(err.Error(), "not whole") {
		t.Errorf("%v", err)
	}
}

func BenchmarkBook(b *testing.B) {
	book := NewBook(b.TempDir())
	defer book.Close()
	ids := make([]string, 1000)
	for i := range ids {
		ids[i] = placeID("x", 0, int64(i))
	}
	for i := 0; b.Loop(); i++ {
		id := ids[i%len(ids)]
		book.Ask(id, 694970)
		book.Answer(id, Accepted, 694970)
	}
}
