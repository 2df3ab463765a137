package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"kassa/services"
	"kassa/services/email"
)

// mailFlags say where the mails of the email service go.
type mailFlags struct{ server, mail string }

const (
	mailCatch = "catch"
	mailNone  = "none"
)

func (f *mailFlags) register(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&f.server, "smtp", "", "a mail server, host:port, that takes the mails; every address ends in .invalid, so nobody can be reached by accident")
	fl.StringVar(&f.mail, "mail", mailCatch, "without --smtp: catch the mails in this process, where they are counted and delivered to nobody, or make none (for benchmarks)")
	_ = cmd.RegisterFlagCompletionFunc("mail", cobra.FixedCompletions([]string{mailCatch, mailNone}, cobra.ShellCompDirectiveNoFileComp))
}

// config turns the flags into the settings of a Mailer.
func (f *mailFlags) config() (email.Config, error) {
	var cfg email.Config
	switch {
	case f.mail != mailCatch && f.mail != mailNone:
		return cfg, usageError{fmt.Errorf("--mail is %s or %s, not %q", mailCatch, mailNone, f.mail)}
	case f.server != "" && f.mail == mailNone:
		return cfg, usageError{fmt.Errorf("--smtp sends mails and --mail none makes none: leave one of them out")}
	case f.server != "":
		cfg.Mode, cfg.Server = email.SMTP, f.server
	case f.mail == mailNone:
		cfg.Mode = email.None
	}
	if err := cfg.Check(); err != nil {
		return cfg, usageError{fmt.Errorf("--smtp: %w", err)}
	}
	return cfg, nil
}

// runEmail runs the email service alone until it is told to end, and says where its mails go and how many there were.
func runEmail(ctx context.Context, mails email.Config, cfg services.Config) error {
	mails.Log = cfg.Log
	mailer, err := email.NewMailer(mails)
	if err != nil {
		return err
	}
	defer mailer.Close()
	switch mails.Mode {
	case email.SMTP:
		cfg.Log.Info("sending mails", "server", mails.Server)
	case email.Catch:
		cfg.Log.Info("mails are caught in this process and delivered to nobody; --smtp host:port sends them")
	case email.None:
		cfg.Log.Info("no mail is made (--mail none)")
	}
	err = run1(ctx, services.NewRunner(mailer.Service(), cfg))
	st := mailer.Stats()
	cfg.Log.LogAttrs(context.WithoutCancel(ctx), slog.LevelInfo, "mails", slog.Int64("sent", st.Sent), slog.Int64("repeated", st.Repeated),
		slog.Int64("retried", st.Retried), slog.Int64("undeliverable", st.Undeliverable), slog.Int("waiting", st.Waiting))
	return err
}
