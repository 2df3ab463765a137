package main

import (
	"context"
	"errors"
	"strings"

	"kassa/services/email"
	"kassa/services/events"
	"kassa/services/ledger"
	"kassa/services/payment"
)

// notary notes in the book what payment promises. It implements payment.Witness.
type notary struct{ book *ledger.Book }

// Asked implements payment.Witness.
func (n notary) Asked(id string, amount events.Money) { n.book.Ask(id, int64(amount)) }

// Answered implements payment.Witness.
func (n notary) Answered(id string, amount events.Money, err error) {
	outcome := ledger.Accepted
	switch {
	case errors.Is(err, payment.ErrUnknown):
		outcome = ledger.Unknown
	case err != nil:
		outcome = ledger.Refused
	}
	n.book.Answer(id, outcome, int64(amount))
}

// audit judges what was promised here against what the log holds at this moment. It waits for nothing to come to rest: what is on its way is in flight.
// Progress may be nil. It reads the whole log, so whoever calls it bounds it by ctx.
func (s *shop) audit(ctx context.Context, progress func(ledger.Progress)) (ledger.Report, error) {
	return ledger.Audit(ctx, ledger.Config{
		Client:   s.client,
		Book:     s.book,
		Others:   s.hired != nil, // customers reach the container's door without passing here
		Mails:    s.mailsAgain,
		Progress: progress,
	})
}

// mailsAgain is the mails that were sent more than once, those of them by name that the catcher still keeps.
func (s *shop) mailsAgain() ledger.Mails {
	if s.mailer == nil {
		return ledger.Mails{}
	}
	m := ledger.Mails{Repeated: s.mailer.Stats().Repeated, Named: map[string]int64{}}
	for _, e := range s.mailer.Inbox(0, email.Kept) {
		if e.Again {
			id, _, _ := strings.Cut(strings.Trim(e.ID, "<>"), "@") // a Message-ID is the emailId at the shop's domain
			m.Named[id]++
		}
	}
	return m
}
