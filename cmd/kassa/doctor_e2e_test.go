//go:build e2e

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/kafkaops"
	"kassa/kafkaops/doctor"
	"kassa/services"
)

// runDoctor is one visit: what it said, and its exit code.
func runDoctor(t *testing.T, args ...string) (text string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, append([]string{"doctor"}, args...)...)
	cmd.Env = append(os.Environ(), "KAFKA_HOME=")
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if code = cmd.ProcessState.ExitCode(); code != exitCannot && errs.Len() > 0 {
		t.Errorf("exit code %d, and on standard error: %s", code, &errs)
	}
	return out.String() + errs.String(), code
}

func contains(t *testing.T, text string, words ...string) {
	t.Helper()
	// The lines are broken to fit.
	flat := strings.Join(strings.Fields(text), " ")
	for _, w := range words {
		if !strings.Contains(flat, w) {
			t.Errorf("it does not say %q:\n%s", w, text)
		}
	}
}

// A visit to kassa's own cluster: healthy, then with topics that are not, then with a broker down.
func TestE2EDoctor(t *testing.T) {
	p := start(t, "cluster")
	brokers := p.line()
	client := kafkaops.ClientOptions(strings.Split(brokers, ","))
	if err := makeTopics(t.Context(), client, services.TopicSettings{}); err != nil {
		t.Fatal(err)
	}

	text, code := runDoctor(t, "--brokers", brokers)
	if code != exitOK {
		t.Errorf("exit code %d on a healthy cluster", code)
	}
	contains(t, text, "ok brokers 1, 2 and 3 answer", "ok voters 1, 2 and 3, led by", "each has a leader and all its replicas in sync",
		"3 replicas, min.insync.replicas 2, unclean election off", "Nothing is at risk", "acks")

	// Not idempotent; all acks, because no reader sees a record before the followers have it.
	cl, err := kgo.NewClient(append(client, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.AllISRAcks()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	for _, topic := range []struct {
		name       string
		copies     int16
		key, value string
	}{
		{"alone", 1, "min.insync.replicas", "1"},
		{"eager", 3, "min.insync.replicas", "1"},
		{"rigid", 3, "min.insync.replicas", "3"},
		{"unclean", 3, "unclean.leader.election.enable", "true"},
	} {
		if _, err := admin.CreateTopic(t.Context(), 1, topic.copies, map[string]*string{topic.key: &topic.value}, topic.name); err != nil {
			t.Fatal(err)
		}
	}
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "eager", Value: []byte("x")}).FirstErr(); err != nil {
		t.Fatal(err)
	}

	// The addresses one by one, and every clock: of one machine, so the same.
	args := []string{"--write-probe"}
	for _, addr := range strings.Split(brokers, ",") {
		args = append(args, "--brokers", addr)
	}
	text, code = runDoctor(t, args...)
	if code != exitBad {
		t.Errorf("exit code %d with topics at risk", code)
	}
	contains(t, text, "risk alone replication factor 1", "risk eager min.insync.replicas 1", "risk rigid min.insync.replicas 3", "risk unclean unclean.leader.election.enable true",
		"note eager 1 of its last 1 batches have no producer id", "ok between brokers", "4 at risk")
	if strings.Contains(text, "kassa-doctor-") {
		t.Errorf("the probe could not take its topic away:\n%s", text)
	}
	until(t, "every broker has heard of its end", func() bool {
		left, err := admin.ListTopics(t.Context())
		return err == nil && !slices.ContainsFunc(left.Names(), func(n string) bool { return strings.HasPrefix(n, "kassa-doctor-") })
	})

	// A broker is killed: it is named, and so is what it held.
	p.signalBroker("2", syscall.SIGKILL)
	var report doctor.Report
	until(t, "it is found under-replicated", func() bool {
		text, code = runDoctor(t, "--brokers", brokers, "--json")
		report = doctor.Report{}
		if err := json.Unmarshal([]byte(text), &report); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		return slices.ContainsFunc(report.Findings, func(f doctor.Finding) bool {
			return f.Check == "under-replicated" && f.Subject == "payment-successful" && f.Level == doctor.Risk
		})
	})
	if code != exitBad || report.Machine != nil || len(report.Cluster.Brokers) != 3 || report.Cluster.Brokers[1].Why != "connection refused" {
		t.Errorf("exit code %d, brokers %+v", code, report.Cluster.Brokers)
	}
	for _, f := range report.Findings {
		if f.Level == doctor.Risk && (f.Subject == "" || f.What == "" || f.Risk == "" || f.Fix == "") {
			t.Errorf("half a finding: %+v", f)
		}
	}
	contains(t, text, "rigid", "under-min-isr", "broker 2", "voter 2")

	// Another keeps its connections and answers nobody: the quorum is gone, and the visit ends all the same.
	p.signalBroker("3", syscall.SIGSTOP)
	begun := time.Now()
	text, code = runDoctor(t, "--brokers", brokers)
	if took := time.Since(begun); code != exitBad || took > 25*time.Second {
		t.Errorf("exit code %d after %s", code, took)
	}
	contains(t, text, "broker 3", "no answer in time", "no controller answers the brokers")
}

// On a machine with what brokers need the local provider is named; addresses at which nobody is are one sentence.
func TestE2EDoctorOfThisMachine(t *testing.T) {
	text, code := runDoctor(t)
	if code != exitOK {
		t.Errorf("exit code %d", code)
	}
	contains(t, text, "This machine", "Java", "Kafka's jars", "9094", "--cluster auto local")
	text, code = runDoctor(t, "--brokers", "127.0.0.1:1")
	if code != exitCannot || strings.Count(strings.TrimSpace(text), "\n") > 0 {
		t.Errorf("exit code %d: %s", code, text)
	}
	contains(t, text, "no broker answers", "127.0.0.1:1", "connection refused")
}

// signalBroker finds a broker of this kassa by the directory that is its alone.
func (p *process) signalBroker(id string, sig syscall.Signal) {
	p.t.Helper()
	out, err := exec.Command("pgrep", "-f", p.tmp+"/.*logs/broker-"+id+".log").Output()
	if err != nil {
		p.t.Fatalf("there is no broker %s: %v", id, err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		p.t.Fatal(err)
	}
	if err := syscall.Kill(pid, sig); err != nil {
		p.t.Fatal(err)
	}
}
