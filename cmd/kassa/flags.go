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
	services  string
	given     func(flag string) bool
}

func (f *clusterFlags) register(cmd *cobra.Command) {
	fl := cmd.Flags()
	f.given = fl.Changed
	fl.StringVar(&f.provider, "cluster", providerAuto, "where the brokers come from: auto, local (real ones), compose (real ones in Docker), embedded (simulated, nothing to install)")
	fl.StringVar(&f.kafkaHome, "kafka-home", os.Getenv("KAFKA_HOME"), "an unpacked Kafka 4.0 or later, instead of fetching one with Maven (KAFKA_HOME)")
	fl.StringVar(&f.dataDir, "data-dir", "", "keep the brokers' data in this directory; without it the data is temporary")
	fl.StringVar(&f.ports, "ports", "", "three client ports such as 9094,9095,9096 (the default, or free ones when those are taken)")
	fl.StringVar(&f.profile, "profile", kafkaops.FastFailover().Name, "the brokers' settings: fast-failover, stock")
	// The shell completes what can be known.
	_ = cmd.RegisterFlagCompletionFunc("cluster", cobra.FixedCompletions([]string{providerAuto, providerLocal, providerCompose, providerEmbedded}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("profile", cobra.FixedCompletions([]string{"fast-failover", "stock"}, cobra.ShellCompDirectiveNoFileComp))
}

// registerServices adds the flag of those who run the shop on the cluster.
func (f *clusterFlags) registerServices(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.services, "services", "", "with --cluster compose: embed runs the shop's services in this process, connect uses those in the containers (the default: connect if they run)")
	_ = cmd.RegisterFlagCompletionFunc("services", cobra.FixedCompletions([]string{servicesEmbed, servicesConnect}, cobra.ShellCompDirectiveNoFileComp))
}

// source turns the flags into where the cluster comes from.
func (f *clusterFlags) source() (*source, error) {
	src := &source{provider: f.provider, services: f.services, local: local.Config{KafkaHome: f.kafkaHome, DataDir: f.dataDir}}
	for _, flag := range []string{"data-dir", "kafka-home"} {
		if f.given(flag) {
			src.localOnly = "--" + flag
		}
	}
	if err := src.check(); err != nil {
		return nil, err
	}
	profile, err := kafkaops.ProfileByName(f.profile)
	if err != nil {
		return nil, usageError{err}
	}
	src.local.Profile = profile
	if f.ports != "" {
		if src.local.Ports, err = parsePorts(f.ports); err != nil {
			return nil, usageError{err}
		}
	}
	return src, nil
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
