package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"kassa/kafkaops"
	"kassa/kafkaops/local"
)

// clusterFlags say where the brokers come from.
type clusterFlags struct {
	provider  string
	kafkaHome string
	dataDir   string
	ports     string
	profile   string
}

func (f *clusterFlags) register(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&f.provider, "cluster", "auto", "where the brokers come from: auto, local")
	fl.StringVar(&f.kafkaHome, "kafka-home", os.Getenv("KAFKA_HOME"), "an unpacked Kafka 4.0 or later, instead of fetching one with Maven (KAFKA_HOME)")
	fl.StringVar(&f.dataDir, "data-dir", "", "keep the brokers' data in this directory; without it the data is temporary")
	fl.StringVar(&f.ports, "ports", "", "three client ports such as 9094,9095,9096 (the default, or free ones when those are taken)")
	fl.StringVar(&f.profile, "profile", kafkaops.FastFailover().Name, "the brokers' settings: fast-failover, stock")
	// The shell completes what can be known.
	_ = cmd.RegisterFlagCompletionFunc("cluster", cobra.FixedCompletions([]string{"auto", "local"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("profile", cobra.FixedCompletions([]string{"fast-failover", "stock"}, cobra.ShellCompDirectiveNoFileComp))
}

// config turns the flags into the provider's settings.
func (f *clusterFlags) config() (local.Config, error) {
	cfg := local.Config{KafkaHome: f.kafkaHome, DataDir: f.dataDir}
	if f.provider != "auto" && f.provider != "local" {
		return cfg, usageError{fmt.Errorf("--cluster is auto or local, not %q", f.provider)}
	}
	profile, err := kafkaops.ProfileByName(f.profile)
	if err != nil {
		return cfg, usageError{err}
	}
	cfg.Profile = profile
	if f.ports != "" {
		if cfg.Ports, err = parsePorts(f.ports); err != nil {
			return cfg, usageError{err}
		}
	}
	return cfg, nil
}

func parsePorts(text string) ([]int, error) {
	var ports []int
	for _, p := range strings.Split(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(p))
		if err != nil || n < 1 || n > 65535 {
			return nil, fmt.Errorf("--ports takes three port numbers such as 9094,9095,9096, not %q", text)
		}
		ports = append(ports, n)
	}
	if len(ports) != 3 || ports[0] == ports[1] || ports[1] == ports[2] || ports[0] == ports[2] {
		return nil, fmt.Errorf("--ports takes three different port numbers such as 9094,9095,9096, not %q", text)
	}
	return ports, nil
}

// logLimit is when a log file makes room for a new one, in bytes.
const logLimit = 4 << 20

// openLog opens the file that logs go to: kassa's own, so that the screen stays clean.
func openLog(path string) (*os.File, string, error) {
	if path == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			dir = os.TempDir()
		}
		path = filepath.Join(dir, "kassa", "kassa.log")
	}
	fail := func(err error) (*os.File, string, error) {
		return nil, "", &kafkaops.UserError{Message: fmt.Sprintf("cannot write the log %s (%v): choose another file with --log-file", path, err), Err: err}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fail(err)
	}
	if st, err := os.Stat(path); err == nil && st.Size() > logLimit {
		if err := os.Rename(path, path+".old"); err != nil {
			return fail(err)
		}
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fail(err)
	}
	return f, path, nil
}
