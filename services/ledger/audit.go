package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Config says what to audit.
type Config struct {
	Client []kgo.Opt // bootstrap servers, and how to reach them
	// Book is what was promised. Nil judges the log alone: what is in it was acknowledged.
	Book *Book
	// Others says that customers may also order where the Book does not see it: a payment that it does not know of is judged by the log
	// alone. Otherwise nobody asked for it, unless it is older than the Book.
	Others bool
	// Mails says which mails were sent more than once; nil when nobody counts them.
	Mails func() Mails
	// Skew is how much the clocks of those who write may differ. An event whose timestamp is earlier than its cause's by more is out of order.
	Skew time.Duration
	// MaxFindings is how many findings are listed; 0 means 100.
	MaxFindings int
	// Memory is what the checkouts of one bucket may take, in bytes; 0 means 64 MiB.
	Memory int64
	// TempDir is where files go that are too large for memory; empty means os.TempDir.
	TempDir string
	// Patience is how long nothing may come from a partition before the audit gives up; 0 means 30 s: longer than the loss of a broker takes, and
	// than a transaction whose writer has died, which its timeout (7.5 s for the shop's) and the coordinator's next round (10 s) end.
	Patience time.Duration
	// Progress is told how far the audit is, a few times a second; nil for nobody. It must not wait.
	Progress func(Progress)
}

// Mails are those that were sent more than once.
type Mails struct {
	Repeated int64            // all that were not the first with their id
	Named    map[string]int64 // of those, how often each was sent again, by emailId; as many as are known
}

// Progress is how far an audit is. Judging follows reading.
type Progress struct {
	Again       bool // what was bad at first is looked at a second time
	Judging     bool
	Done, Total int64 // records (offsets) while reading, entries while judging
}

// Audit reads the log and judges it. The error is ErrUnfinished, with its reason, when there can be no verdict; ErrNoTopics when there is nothing
// to audit; else nil, whatever was found.
//
// What is bad is looked at twice, and the second look counts: a broker that hung and has just come back may for a moment answer for partitions that
// another leads by now, and what was written since would be missing.
func Audit(ctx context.Context, cfg Config) (Report, error) {
	begun := time.Now()
	rep, err := look(ctx, cfg, false)
	if err == nil && rep.Bad() > 0 {
		rep, err = look(ctx, cfg, true)
	}
	rep.Begun, rep.Promised = begun, cfg.Book != nil
	rep.Took = time.Since(begun)
	rep.Seconds = rep.Took.Seconds()
	return rep, err
}

// look is one audit.
func look(ctx context.Context, cfg Config, again bool) (Report, error) {
	a := newAudit(cfg)
	a.tells.again = again
	rep, err := a.run(ctx)
	err = errors.Join(err, a.close())
	switch {
	case err == nil:
		return rep, nil
	case errors.Is(err, ErrNoTopics):
		return Report{Why: err.Error()}, err
	}
	return Report{Why: err.Error()}, fmt.Errorf("%w: %w", ErrUnfinished, err)
}

// audit is one run.
type audit struct {
	cfg   Config
	seed  maphash.Seed
	join  *join
	tells *teller
	buf   []byte
}

const (
	defaultFindings = 100
	defaultMemory   = 64 << 20
	defaultPatience = 30 * time.Second
)

func newAudit(cfg Config) *audit {
	cfg.MaxFindings = cmp.Or(cfg.MaxFindings, defaultFindings)
	cfg.Memory = cmp.Or(cfg.Memory, defaultMemory)
	cfg.Patience = cmp.Or(cfg.Patience, defaultPatience)
	a := &audit{cfg: cfg, seed: maphash.MakeSeed(), tells: &teller{to: cfg.Progress}}
	a.join = newJoin(a.seed, cfg.TempDir, int(cfg.Memory/stateBytes), buffered, stretch)
	return a
}

func (a *audit) close() error { return a.join.close() }

func (a *audit) run(ctx context.Context) (rep Report, err error) {
	r, err := newReader(a.cfg.Client, a.cfg.Patience)
	if err != nil {
		return rep, err
	}
	defer r.close()
	var answered mark
	if a.cfg.Book != nil {
		answered = a.cfg.Book.mark()
	}
	s, err := r.survey(ctx)
	if err != nil {
		return rep, err
	}
	if len(s.spans) == 0 && a.cfg.Book == nil {
		return rep, ErrNoTopics
	}
	j := &judge{order: a.join.order, skew: a.cfg.Skew, findings: findings{most: a.cfg.MaxFindings}}
	if err := a.promises(j, answered); err != nil {
		return rep, err
	}
	total := s.offsets()
	c, err := r.scan(ctx, s, a.see, func(done int64) { a.tells.tell(Progress{Done: done, Total: total}) })
	if err != nil {
		return rep, err
	}
	r.close() // what it has fetched ahead is memory
	j.log = s.log(c)
	rep.Records, rep.Aborted, rep.Truncated = c.records, c.aborted, s.truncated(c)
	a.mails(j)
	err = a.join.judge(j, func(done, total int64) error {
		a.tells.tell(Progress{Judging: true, Done: done, Total: total})
		return ctx.Err()
	})
	if err != nil {
		return rep, err
	}
	rep.Finished, rep.Counts, rep.Findings, rep.More = true, j.counts, j.findings.all, j.findings.more
	return rep, nil
}

// promises brings the Book's into the join.
func (a *audit) promises(j *judge, answered mark) error {
	if a.cfg.Book == nil {
		return nil
	}
	j.promised, j.others, j.begun = true, a.cfg.Others, millis(a.cfg.Book.Begun())
	refused, err := a.cfg.Book.each(answered, func(p Promise) error {
		a.buf = p.append(a.buf[:0])
		return a.join.add(a.buf)
	})
	j.counts.Refused = refused
	return err
}

// see notes a record.
func (a *audit) see(rec *kgo.Record) error {
	s, ok := see(a.seed, rec)
	if !ok {
		return nil
	}
	a.buf = s.append(a.buf[:0])
	return a.join.add(a.buf)
}

// mails asks which were sent more than once.
func (a *audit) mails(j *judge) {
	if a.cfg.Mails == nil {
		return
	}
	m := a.cfg.Mails()
	j.counts.MailedTwice = m.Repeated
	j.mails = make(map[uint64]int64, len(m.Named))
	for id, again := range m.Named {
		j.mails[maphash.String(a.seed, id)] = again
	}
}

// teller passes progress on, not too often.
type teller struct {
	to    func(Progress)
	again bool
	last  time.Time
	was   Progress
}

func (t *teller) tell(p Progress) {
	p.Again = t.again
	ends := p.Judging != t.was.Judging || p.Done == p.Total
	if t.to == nil || p == t.was || !ends && time.Since(t.last) < 100*time.Millisecond {
		return
	}
	t.last, t.was = time.Now(), p
	t.to(p)
}
