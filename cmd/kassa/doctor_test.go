package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"kassa/kafkaops"
	"kassa/kafkaops/doctor"
)

// execute is kassa with these arguments, without the process.
func execute(t *testing.T, args ...string) (out string, err error) {
	t.Helper()
	root := newRoot()
	var b bytes.Buffer
	root.SetOut(&b)
	root.SetErr(&b)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetArgs(args)
	err = root.ExecuteContext(t.Context())
	return b.String(), err
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errBadVerdict, 1},
		{fmt.Errorf("doctor: %w", errBadVerdict), 1},
		{usageError{errors.New("unknown flag")}, 2},
		{&kafkaops.UserError{Message: "install Java"}, 2},
		{errors.New("anything"), 2},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%v gives %d, want %d", c.err, got, c.want)
		}
	}
}

func TestDoctorRefusesWhatMakesNoSense(t *testing.T) {
	for name, c := range map[string]struct {
		args  []string
		words string
	}{
		"an argument":              {[]string{"me"}, "takes no argument"},
		"no brokers":               {[]string{"--brokers", ""}, "--brokers takes host:port"},
		"no port":                  {[]string{"--brokers", "a:1", "--brokers", "b"}, "--brokers takes host:port"},
		"a probe of nothing":       {[]string{"--write-probe"}, "give its --brokers"},
		"two things at once":       {[]string{"--brokers", "a:1", "--kafka-home", "/opt/kafka"}, "one of them"},
		"a flag that is not there": {[]string{"--bootstrap", "a:1"}, "unknown flag"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := execute(t, append([]string{"doctor"}, c.args...)...)
			var usage usageError
			if !errors.As(err, &usage) || !strings.Contains(err.Error(), c.words) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Repeated and comma separated addresses mean the same; --json is one object; a risk is exit code 1 and no other word.
func TestDoctorOfACluster(t *testing.T) {
	f, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(1, "orders"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	addrs := f.ListenAddrs()
	out, err := execute(t, "doctor", "--json", "--brokers", addrs[0]+","+addrs[1], "--brokers", addrs[2])
	if !errors.Is(err, errBadVerdict) { // kfake's min.insync.replicas is 1
		t.Fatalf("got %v", err)
	}
	var report doctor.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	if report.Machine != nil || len(report.Cluster.Bootstrap) != 3 || report.Count(doctor.Risk) == 0 {
		t.Errorf("report %+v", report)
	}
	out, err = execute(t, "doctor", "--brokers", addrs[0])
	if !errors.Is(err, errBadVerdict) || !strings.Contains(out, "risk  orders") || strings.Contains(out, "\x1b") {
		t.Errorf("%v, and it says\n%s", err, out)
	}
}

func TestHelpListsDoctor(t *testing.T) {
	if out, err := execute(t, "--help"); err != nil || !strings.Contains(out, "doctor") {
		t.Errorf("%v in\n%s", err, out)
	}
}
