package main

import (
	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/kafkaops"
)

// remote is a cluster that somebody else runs, as a command is told of it.
type remote struct {
	brokers string // host:port separated by commas
	config  string // a file of Kafka's client settings; empty for plaintext
}

func (r *remote) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.brokers, "brokers", "127.0.0.1:9094,127.0.0.1:9095,127.0.0.1:9096", "bootstrap servers, host:port separated by commas")
	cmd.Flags().StringVar(&r.config, "command-config", "", "a properties file as Kafka's own tools take it, for a cluster that wants TLS or a log-in (PEM; PLAIN or SCRAM)")
}

// client is how to talk to it.
func (r *remote) client() ([]kgo.Opt, error) {
	bootstrap, err := parseBrokers(r.brokers)
	if err != nil {
		return nil, usageError{err}
	}
	var s kafkaops.Security
	if r.config != "" {
		if s, err = kafkaops.ReadSecurity(r.config); err != nil {
			return nil, err
		}
	}
	return s.Options(bootstrap), nil
}
