// Package deadletters reads what the services could not read, and on demand writes it again to where it came from. It reads committed
// records only, joins no group, and keeps no more values in memory than it hands out.
package deadletters

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/services/events"
)

// Place is a record's place in the log, written TOPIC/PARTITION@OFFSET.
type Place struct {
	Topic     string
	Partition int32
	Offset    int64
}

// String is the form that ParsePlace reads.
func (p Place) String() string {
	return p.Topic + "/" + strconv.Itoa(int(p.Partition)) + "@" + strconv.FormatInt(p.Offset, 10)
}

// ParsePlace reads TOPIC/PARTITION@OFFSET.
func ParsePlace(text string) (Place, error) {
	wrong := fmt.Errorf("%q is no TOPIC/PARTITION@OFFSET, such as %s", text, Place{events.DeadLetters(events.PaymentSuccessful), 0, 12})
	topic, rest, ok := strings.Cut(text, "/")
	number, offset, both := strings.Cut(rest, "@")
	if !ok || !both || topic == "" {
		return Place{}, wrong
	}
	p, err1 := strconv.ParseUint(number, 10, 31)
	o, err2 := strconv.ParseUint(offset, 10, 63)
	if err1 != nil || err2 != nil {
		return Place{}, wrong
	}
	return Place{topic, int32(p), int64(o)}, nil
}

// Letter is one dead letter.
type Letter struct {
	At   Place     // where it lies
	Time time.Time // when it died

	// Of the record that died. Source is empty if a stranger wrote the letter, who did not say.
	Source     Place
	SourceTime time.Time // zero if not known
	Reason     string
	Service    string // who could not read it
	Attempt    int    // how often it was tried; 1 for one that is no retry
	RetryOf    string // for a retry: the dead letter before this one

	Key, Value []byte          // nil for none; Value perhaps only its beginning, see Query.Preview
	Headers    []events.Header // their values perhaps only the beginning, as of Value
	Size       int             // bytes of the record's whole value
	Cut        bool            // the letter does not hold all of the record, which was too large

	Retried   time.Time // when it was written again; zero if it was not
	RetriedAs string    // where that is
	Repeat    bool      // the same record died before, among those that were looked at: at-least-once repeats

	sourceTime string // as the letter has it
}

// Errors of this package that a caller may match.
var (
	ErrNotFound  = errors.New("no dead letter is there")
	ErrRetried   = errors.New("was retried")
	ErrCut       = errors.New("was too large to be kept whole")
	ErrNoSource  = errors.New("does not say where it came from")
	ErrTakenOver = errors.New("another retry has begun and taken over")
	ErrSilent    = errors.New("no answer")
)

// Store is the dead letters of a cluster. Its methods may be called from several goroutines; each opens a client of its own and closes it.
type Store struct{ client []kgo.Opt }

// New is a Store on the cluster of these options, and does nothing yet.
func New(client []kgo.Opt) *Store { return &Store{client: client} }

// Topics are the topics that dead letters may come from.
func Topics() []string { return events.Topics() }

// source is the topic whose dead letters a place is about.
func (p Place) source() (string, error) {
	if topic := events.SourceOf(p.Topic); slices.Contains(Topics(), topic) {
		return topic, nil
	}
	return "", fmt.Errorf("%s: %w: the shop's topics are %s", p, ErrNotFound, strings.Join(Topics(), ", "))
}
