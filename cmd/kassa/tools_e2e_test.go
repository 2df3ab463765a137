//go:build e2e

package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kassa/kafkaops"
	"kassa/kafkaops/embedded"
	"kassa/kafkaops/local"
	"kassa/kafkaops/watch"
	"kassa/services/events"
)

// Kafka's own tools are what the picture is held against: kafka-topics, kafka-metadata-quorum and kafka-consumer-groups, of the version
// of the brokers, in one JVM that runs their main methods again and again.

const toolsPom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>kassa</groupId><artifactId>kafka-tools</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>` + local.KafkaVersion + `</version></dependency>
  </dependencies>
</project>
`

// toolJars is the directory of the tools' jars, which Maven fetches once.
func toolJars(t testing.TB) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "kassa", "tools-"+local.KafkaVersion)
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	staging, err := os.MkdirTemp(filepath.Dir(dir), "tools-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(staging)
	if err := os.WriteFile(filepath.Join(staging, "pom.xml"), []byte(toolsPom), 0o600); err != nil {
		t.Fatal(err)
	}
	mvn := exec.CommandContext(t.Context(), "mvn", "--batch-mode", "--quiet", // the plugin's version as in kafkaops/local
		"org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies", "-DoutputDirectory=jars", "-DincludeScope=runtime")
	mvn.Dir = staging
	if out, err := mvn.CombinedOutput(); err != nil {
		t.Fatalf("fetch Kafka's tools: %v\n%s", err, out)
	}
	if err := os.Rename(filepath.Join(staging, "jars"), dir); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
	return dir
}

// tools is the JVM that runs them.
type tools struct {
	t    testing.TB
	in   io.Writer
	out  *bufio.Reader
	runs int
}

func startTools(t testing.TB) *tools {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m",
		"-cp", filepath.Join(toolJars(t), "*"), filepath.Join("testdata", "Tools.java"))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Kill() // some of its clients may still wait for a broker
		_ = cmd.Wait()
	})
	return &tools{t: t, in: in, out: bufio.NewReader(out)}
}

const (
	topicsTool = "org.apache.kafka.tools.TopicCommand"
	quorumTool = "org.apache.kafka.tools.MetadataQuorumCommand"
	groupsTool = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
)

// run gives what a tool prints.
func (k *tools) run(tool, bootstrap string, args ...string) string {
	k.t.Helper()
	k.runs++
	if _, err := fmt.Fprintln(k.in, strings.Join(append([]string{tool, "--bootstrap-server", bootstrap}, args...), " ")); err != nil {
		k.t.Fatal(err)
	}
	said, err := k.out.ReadString(4)
	if err != nil {
		k.t.Fatalf("Kafka's tools ended: %v\n%s", err, said)
	}
	code, err := k.out.ReadString('\n')
	if err != nil || code != "0\n" {
		k.t.Fatalf("%s %s: exit %s%s", tool, args, code, said)
	}
	return strings.TrimSuffix(said, "\x04")
}

// check is one tool and what the picture says to the same question. Both are sets of lines in the same words.
type check struct {
	name    string
	tool    string
	args    []string
	parse   func(said string) []string
	picture func(*watch.State) []string

	mayBeEmpty bool // there may be nothing to tell of
}

var topicChecks = []check{
	{"topics", topicsTool, []string{"--describe"}, parseTopics, partitionLines, false},
	{"under-replicated", topicsTool, []string{"--describe", "--under-replicated-partitions"}, parsePartitionNames, func(s *watch.State) []string {
		return partitionNames(s, watch.Partition.UnderReplicated)
	}, true},
	{"under min ISR", topicsTool, []string{"--describe", "--under-min-isr-partitions"}, parsePartitionNames, func(s *watch.State) []string {
		return partitionNames(s, watch.Partition.UnderMinISR)
	}, true},
	{"unavailable", topicsTool, []string{"--describe", "--unavailable-partitions"}, parsePartitionNames, func(s *watch.State) []string {
		return partitionNames(s, s.Unavailable)
	}, true},
}

var quorumChecks = []check{
	{"quorum status", quorumTool, []string{"describe", "--status"}, parseStatus, func(s *watch.State) []string {
		q := s.Quorum
		return []string{
			fmt.Sprintf("cluster %s leader %d epoch %d", s.ClusterID, q.Leader, q.Epoch),
			fmt.Sprint("voters ", replicaIDs(q.Voters)), fmt.Sprint("observers ", replicaIDs(q.Observers)),
		}
	}, false},
	{"quorum replication", quorumTool, []string{"describe", "--replication"}, parseReplication, func(s *watch.State) []string {
		var out []string
		for _, r := range s.Quorum.Voters {
			role := "Follower"
			if r.ID == s.Quorum.Leader {
				role = "Leader"
			}
			out = append(out, fmt.Sprintf("%d %s", r.ID, role))
		}
		for _, r := range s.Quorum.Observers {
			out = append(out, fmt.Sprintf("%d Observer", r.ID))
		}
		return out
	}, false},
}

var groupChecks = []check{
	{"groups", groupsTool, []string{"--describe", "--all-groups"}, parseLag, lagLines, false},
	{"group states", groupsTool, []string{"--describe", "--all-groups", "--state"}, parseStates, func(s *watch.State) []string {
		var out []string
		for _, g := range s.Groups {
			n, _ := s.Node(g.Coordinator)
			out = append(out, fmt.Sprintf("%s at %s (%d) %s %s members %d", g.Name, n.Addr, g.Coordinator, g.Protocol, g.State, len(g.Members)))
		}
		return out
	}, false},
	{"group members", groupsTool, []string{"--describe", "--all-groups", "--members", "--verbose"}, parseMembers, memberLines, false},
}

func partitionLines(s *watch.State) []string {
	var out []string
	for _, p := range s.Partitions {
		out = append(out, fmt.Sprintf("%s/%d leader %d replicas %v isr %v elr %v min %d",
			p.Topic, p.ID, p.Leader, p.Replicas, sorted(p.ISR), sorted(p.ELR), p.MinISR))
	}
	return out
}

func partitionNames(s *watch.State, which func(watch.Partition) bool) []string {
	var out []string
	for _, p := range s.Partitions {
		if which(p) {
			out = append(out, fmt.Sprintf("%s/%d", p.Topic, p.ID))
		}
	}
	return out
}

func lagLines(s *watch.State) []string {
	var out []string
	for _, g := range s.Groups {
		for _, l := range g.Lag {
			member := "- - -"
			for _, m := range g.Members {
				if slices.Contains(m.Assigned[l.Topic], l.Partition) {
					member = m.ID + " " + m.Host + " " + m.ClientID
				}
			}
			out = append(out, fmt.Sprintf("%s %s/%d %s of %s lag %s %s", g.Name, l.Topic, l.Partition, dash(l.Committed), dash(l.End), dash(l.Lag), member))
		}
	}
	return out
}

func memberLines(s *watch.State) []string {
	var out []string
	for _, g := range s.Groups {
		for _, m := range g.Members {
			var assigned []string
			n := 0
			for _, t := range slices.Sorted(maps.Keys(m.Assigned)) {
				assigned = append(assigned, t+":"+strings.Trim(strings.ReplaceAll(fmt.Sprint(m.Assigned[t]), " ", ","), "[]"))
				n += len(m.Assigned[t])
			}
			out = append(out, fmt.Sprintf("%s %s %s %s %d %s", g.Name, m.ID, m.Host, m.ClientID, n, strings.Join(assigned, ";")))
		}
	}
	return out
}

func dash(n int64) string {
	if n < 0 {
		return "-"
	}
	return strconv.FormatInt(n, 10)
}

func sorted(ids []int32) []int32 { return slices.Sorted(slices.Values(ids)) }

func replicaIDs(replicas []watch.Replica) []int32 {
	var ids []int32
	for _, r := range replicas {
		ids = append(ids, r.ID)
	}
	return sorted(ids)
}

var (
	topicRow  = regexp.MustCompile(`(?m)^Topic: (\S+)\t.*min\.insync\.replicas=(\d+)`)
	detailRow = regexp.MustCompile(`(?m)^\tTopic: (\S+)\tPartition: (\d+)\tLeader: (\S+)\tReplicas: (\S*)\tIsr: (\S*)(?:\tElr: (\S*))?`)
)

func parseTopics(said string) []string {
	minISR := map[string]string{}
	for _, m := range topicRow.FindAllStringSubmatch(said, -1) {
		minISR[m[1]] = m[2]
	}
	var out []string
	for _, m := range detailRow.FindAllStringSubmatch(said, -1) {
		leader := m[3]
		if leader == "none" {
			leader = "-1"
		}
		out = append(out, fmt.Sprintf("%s/%s leader %s replicas %v isr %v elr %v min %s",
			m[1], m[2], leader, numbers(m[4]), sorted(numbers(m[5])), sorted(numbers(m[6])), minISR[m[1]]))
	}
	return out
}

func parsePartitionNames(said string) []string {
	var out []string
	for _, m := range detailRow.FindAllStringSubmatch(said, -1) {
		out = append(out, m[1]+"/"+m[2])
	}
	return out
}

func numbers(list string) []int32 {
	var out []int32
	for _, f := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' }) {
		n, err := strconv.ParseInt(f, 10, 32)
		if err != nil {
			return []int32{-99}
		}
		out = append(out, int32(n))
	}
	return out
}

var (
	statusRow = regexp.MustCompile(`(?m)^(\w+): +(.*)$`)
	idField   = regexp.MustCompile(`"id": (\d+)`)
)

func parseStatus(said string) []string {
	f := map[string]string{}
	for _, m := range statusRow.FindAllStringSubmatch(said, -1) {
		f[m[1]] = m[2]
	}
	all := func(list string) []int32 {
		var ids []int32
		for _, m := range idField.FindAllStringSubmatch(list, -1) {
			ids = append(ids, numbers(m[1])...)
		}
		return sorted(ids)
	}
	return []string{
		fmt.Sprintf("cluster %s leader %s epoch %s", f["ClusterId"], f["LeaderId"], f["LeaderEpoch"]),
		fmt.Sprint("voters ", all(f["CurrentVoters"])), fmt.Sprint("observers ", all(f["CurrentObservers"])),
	}
}

func parseReplication(said string) []string {
	var out []string
	for _, f := range rows(said) {
		if len(f) == 7 && f[0] != "NodeId" {
			out = append(out, f[0]+" "+f[6])
		}
	}
	return out
}

func parseLag(said string) []string {
	var out []string
	for _, f := range rows(said) {
		if len(f) == 9 && f[0] != "GROUP" {
			out = append(out, fmt.Sprintf("%s %s/%s %s of %s lag %s %s %s %s", f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7], f[8]))
		}
	}
	return out
}

func parseStates(said string) []string {
	var out []string
	for _, f := range rows(said) {
		if len(f) == 6 && f[0] != "GROUP" {
			out = append(out, fmt.Sprintf("%s at %s %s %s %s members %s", f[0], f[1], f[2], f[3], f[4], f[5]))
		}
	}
	return out
}

func parseMembers(said string) []string {
	var out []string
	static := -1 // the column that only groups with static members have
	for _, f := range rows(said) {
		if len(f) > 0 && f[0] == "GROUP" {
			static = slices.Index(f, "GROUP-INSTANCE-ID")
			continue
		}
		if static > 0 && static < len(f) {
			f = slices.Delete(f, static, static+1)
		}
		if len(f) >= 7 { // then the epochs and the target, which only the newer protocol has
			out = append(out, fmt.Sprintf("%s %s %s %s %s %s", f[0], f[1], f[2], f[3], f[4], f[6]))
		}
	}
	return out
}

func rows(said string) [][]string {
	var out [][]string
	for line := range strings.Lines(said) {
		out = append(out, strings.Fields(line))
	}
	return out
}

// judge holds a picture of a cluster against Kafka's tools.
type judge struct {
	*testing.T
	tools   *tools
	cluster kafkaops.Cluster
	watcher *watch.Watcher
	topics  []string // the watched ones; nil means all
	retries int
}

// agree runs the tools. What each says is what the picture said before, or what it says after; a cluster in which something happened
// meanwhile gets two more chances.
func (j *judge) agree(when string, checks ...check) {
	j.Helper()
	begun := time.Now()
	for _, c := range checks {
		for attempt := 1; ; attempt++ {
			before := j.watcher.State()
			said := j.tools.run(c.tool, j.live(before), c.args...)
			ended := time.Now()
			tool, was := set(c.parse(said)), set(c.picture(before))
			if c.tool == topicsTool && j.topics != nil {
				tool = slices.DeleteFunc(tool, func(line string) bool {
					topic, _, _ := strings.Cut(line, "/")
					return !slices.Contains(j.topics, topic)
				})
			}
			if len(tool) == 0 && !c.mayBeEmpty {
				j.Fatalf("%s, %s: nothing is understood of\n%s", when, c.name, said)
			}
			if slices.Equal(tool, was) {
				break
			}
			is := set(c.picture(j.after(ended)))
			if slices.Equal(tool, is) {
				break
			}
			text := fmt.Sprintf("%s, %s:\n--- the tool\n%s\n--- the picture before\n%s\n--- and after\n%s\n--- as printed\n%s",
				when, c.name, strings.Join(tool, "\n"), strings.Join(was, "\n"), strings.Join(is, "\n"), said)
			if attempt == 3 {
				j.Errorf("%s", text)
				break
			}
			j.retries++
			j.Logf("not yet: %s", text)
		}
	}
	j.Logf("%-40s %d checks in %v", when, len(checks), time.Since(begun).Round(time.Millisecond))
}

func set(lines []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(lines)))
}

// live lists the brokers that are up: the tools would wait half a minute for one that hangs.
func (j *judge) live(s *watch.State) string {
	var addrs []string
	for _, n := range s.Nodes {
		if n.Health == watch.Up {
			addrs = append(addrs, n.Addr)
		}
	}
	return strings.Join(addrs, ",")
}

// after is the first picture all of which was asked for after a moment, or the one of 4 s later: without a quorum nobody can tell of it.
func (j *judge) after(moment time.Time) *watch.State {
	for {
		s := j.watcher.State()
		fresh := s.At.After(moment.Add(600*time.Millisecond)) && (s.Quorum.Seen.After(moment) || !s.Quorum.Known) // the ELR has no time of its own
		for _, g := range s.Groups {
			fresh = fresh && g.Seen.After(moment.Add(100*time.Millisecond))
		}
		if fresh || time.Since(moment) > 4*time.Second {
			return s
		}
		time.Sleep(20 * time.Millisecond) // between two looks at the condition
	}
}

func (j *judge) do(v kafkaops.Verb, node int32) {
	j.Helper()
	if err := j.cluster.Do(j.Context(), kafkaops.Fault{Verb: v, Node: node}); err != nil {
		j.Fatal(err)
	}
}

func (j *judge) wait(what string, ok func(*watch.State) bool) {
	j.Helper()
	until(j, what, func() bool { return ok(j.watcher.State()) })
}

// settled says that the quorum is known, all brokers but the missing are up and in every ISR, the missing ones in none, and that the
// groups are stable.
func settled(missing ...int32) func(*watch.State) bool {
	return func(s *watch.State) bool {
		if !s.Quorum.Known || s.Count(watch.Up) != 3-len(missing) || len(s.Partitions) != 9 || len(s.Groups) != 3 {
			return false
		}
		for _, p := range s.Partitions {
			for _, id := range missing {
				if p.Leader == id || slices.Contains(p.ISR, id) {
					return false
				}
			}
			if p.Leader < 0 || p.MinISR == 0 || len(p.ISR) != 3-len(missing) {
				return false
			}
		}
		for _, g := range s.Groups {
			if g.State != "Stable" || g.Err != "" || slices.Contains(missing, g.Coordinator) || time.Since(g.Seen) > 2*time.Second {
				return false
			}
		}
		return true
	}
}

// makeTrouble lets the loss of any broker take a partition below its min ISR, with an eligible leader replica beside the ISR, and
// another one offline. Nothing is written to either meanwhile.
func makeTrouble(t *testing.T, cluster kafkaops.Cluster) {
	t.Helper()
	cl, err := kgo.NewClient(kafkaops.ClientOptions(cluster.Bootstrap())...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	three := "3"
	strict, err := admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "min.insync.replicas", Value: &three}}, events.EmailSuccessful)
	if err != nil || strict[0].Err != nil {
		t.Fatal(err, strict)
	}
	if _, err := admin.CreateTopic(t.Context(), 3, 1, nil, "lonely"); err != nil {
		t.Fatal(err)
	}
}

// What the screen's own watcher says is what Kafka's own tools say, at rest and after every kind of fault. The load is off.
func TestE2EThePictureIsThatOfKafkasTools(t *testing.T) { pictured(t, guarded(t, local.Config{})) }

// Kafka's own tools cannot tell simulated brokers from real ones.
func TestE2EThePictureOfSimulatedBrokersIsThatOfKafkasTools(t *testing.T) {
	cluster, err := embedded.Start(t.Context(), embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Close() })
	pictured(t, cluster)
}

func pictured(t *testing.T, cluster kafkaops.Cluster) {
	shop, err := openShop(t.Context(), cluster, slog.New(slog.DiscardHandler), shopConfig{Products: events.DefaultCart()})
	if err != nil {
		t.Fatal(err)
	}
	defer shop.close(time.Second)
	makeTrouble(t, cluster)
	j := &judge{T: t, tools: startTools(t), cluster: cluster, watcher: shop.watcher, topics: events.Topics()}
	// What nobody shows on the screen is watched too: the internal topics, and one that every fault takes a leader from.
	every := watch.Start(cluster, watch.Config{})
	defer every.Close()
	rest := &judge{T: t, tools: j.tools, cluster: cluster, watcher: every}
	agree := func(when string) {
		t.Helper()
		j.agree(when, slices.Concat(topicChecks, quorumChecks, groupChecks)...)
		rest.agree(when+", all topics", topicChecks...)
	}

	j.wait("all is well", settled())
	rest.wait("all topics are known", func(s *watch.State) bool {
		return s.Offline() == 0 && len(s.Partitions) == 27 && !slices.ContainsFunc(s.Partitions, func(p watch.Partition) bool { return p.MinISR == 0 })
	})
	j.wait("min ISR 3 is known", func(s *watch.State) bool { return s.Partitions[8].MinISR == 3 })
	for range 5 {
		if _, err := shop.Checkout(t.Context(), "ann", events.DefaultCart()); err != nil {
			t.Fatal(err)
		}
	}
	j.wait("the checkouts are complete", func(*watch.State) bool { return shop.Figures().Complete == 5 })
	agree("at rest")

	leader := j.watcher.State().Quorum.Leader
	follower, other := leader%3+1, (leader+1)%3+1
	type fault struct {
		name         string
		verb, undo   kafkaops.Verb
		node         int32
		otherQuorum  bool // another leads the quorum then
		alreadyThere bool // it comes back by itself
	}
	faults := []fault{
		{name: "kill -9", verb: kafkaops.Kill, undo: kafkaops.Start, node: follower},
		{name: "controlled stop", verb: kafkaops.Stop, undo: kafkaops.Start, node: other},
		{name: "restart", verb: kafkaops.Restart, node: follower, alreadyThere: true},
		{name: "pause", verb: kafkaops.Pause, undo: kafkaops.Resume, node: other},
		{name: "kill -9 of the quorum's leader", verb: kafkaops.Kill, undo: kafkaops.Start, node: leader, otherQuorum: true},
	}
	if testing.Short() && !cluster.Info().Simulated {
		faults = faults[3:]
	}
	for _, fault := range faults {
		epoch := j.watcher.State().Quorum.Epoch
		j.do(fault.verb, fault.node)
		if fault.alreadyThere {
			j.wait("it went and came", settled())
			agree(fault.name)
			continue
		}
		j.wait(fault.name+" is settled", settled(fault.node))
		if s := j.watcher.State(); fault.otherQuorum && (s.Quorum.Leader == fault.node || s.Quorum.Epoch == epoch) {
			t.Errorf("the quorum is led by %d in epoch %d", s.Quorum.Leader, s.Quorum.Epoch)
		}
		agree(fault.name)
		if s := every.State(); s.Offline() == 0 || j.watcher.State().UnderMinISR() != 3 {
			t.Errorf("%s takes nothing offline, or no partition below its min ISR: the tools were asked about nothing", fault.name)
		}
		j.do(fault.undo, fault.node)
		j.wait("all is well again", settled())
		agree(fmt.Sprintf("%s after %s", fault.undo, fault.name))
	}

	t.Logf("%d runs of Kafka's tools, %d of them asked again", j.tools.runs, j.retries+rest.retries)
}

// These match the rows of pane 6, zoomed and so within the focus's heavy border, in the views that a tool of Kafka's has.
var (
	partitionRow = regexp.MustCompile(`(?m)^[│┃] (\S*) +(\d) (?:\d→)?(\d) +\d≠? +((?:\d )+) +((?:\d )+)`)
	groupRow     = regexp.MustCompile(`(?m)^[│┃] (\S+) +(\S+) +(\w+)/(\S+) +(\d) +(\d+) +(–|\d+) +\d+`)
	quorumRow    = regexp.MustCompile(`leader (\d) epoch (\d+) high watermark`)
	voterRow     = regexp.MustCompile(`(?m)^[│┃] (\d) +(voter|leader|observer) `)
)

// The same as a person sees it: the panes of the running program, beside the tools, with all brokers up and with one dead.
func TestE2EThePanesShowWhatKafkasToolsSay(t *testing.T) {
	s := newTerminal(t, 180, 45, binary)
	s.see("3/3 up", "under-replicated 0", "payment-successful   0")
	k := startTools(t)
	addrs := strings.Join(set(regexp.MustCompile(`127\.0\.0\.1:\d+`).FindAllString(s.see("127.0.0.1:"), -1)), ",")
	s.press("c")
	s.see("1 complete", "0 in flight")

	compare := func(when string) {
		t.Helper()
		s.press("6")
		s.press("z")
		s.see("zoom", "▸partitions")
		s.equal(when+": leaders and ISRs", func() []string {
			var out []string
			for _, m := range detailRow.FindAllStringSubmatch(k.run(topicsTool, addrs, "--describe"), -1) {
				if slices.Contains(events.Topics(), m[1]) {
					out = append(out, fmt.Sprintf("%s/%s leader %s isr %v", m[1], m[2], m[3], sorted(numbers(m[5]))))
				}
			}
			return out
		}, func(screen string) []string {
			var out []string
			topic := ""
			for _, m := range partitionRow.FindAllStringSubmatch(screen, -1) {
				topic = cmp.Or(m[1], topic)
				out = append(out, fmt.Sprintf("%s/%s leader %s isr %v", topic, m[2], m[3], numbers(strings.Join(strings.Fields(m[5]), ","))))
			}
			return out
		})
		s.press("v")
		s.see("▸groups")
		s.equal(when+": groups", func() []string {
			lag := map[string]int{}
			for _, f := range rows(k.run(groupsTool, addrs, "--describe", "--all-groups")) {
				if len(f) == 9 && f[5] != "-" {
					n, _ := strconv.Atoi(f[5])
					lag[f[0]] += n
				}
			}
			var out []string
			for _, f := range rows(k.run(groupsTool, addrs, "--describe", "--all-groups", "--state")) {
				if len(f) == 6 && f[0] != "GROUP" {
					out = append(out, fmt.Sprintf("%s %s %s %s members %s lag %d", f[0], f[4], f[3], strings.Trim(f[2], "()"), f[5], lag[f[0]]))
				}
			}
			return out
		}, func(screen string) []string {
			var out []string
			for _, m := range groupRow.FindAllStringSubmatch(screen, -1) {
				out = append(out, fmt.Sprintf("%s %s %s %s members %s lag %s", m[1], m[2], m[4], m[5], m[6], m[7]))
			}
			return out
		})
		s.press("v")
		s.see("▸quorum")
		s.equal(when+": quorum", func() []string {
			out := parseStatus(k.run(quorumTool, addrs, "describe", "--status"))
			return append(out[1:], out[0][strings.Index(out[0], "leader"):])
		}, func(screen string) []string {
			var voters, observers []int32
			for _, m := range voterRow.FindAllStringSubmatch(screen, -1) {
				if m[2] == "observer" {
					observers = append(observers, numbers(m[1])...)
				} else {
					voters = append(voters, numbers(m[1])...)
				}
			}
			head := quorumRow.FindStringSubmatch(screen)
			if head == nil {
				return nil
			}
			return []string{fmt.Sprintf("leader %s epoch %s", head[1], head[2]), fmt.Sprint("voters ", sorted(voters)), fmt.Sprint("observers ", sorted(observers))}
		})
		s.press("v")
		s.see("▸topics")
		s.press("v")
		s.press("z")
		s.see("▸partitions", "5 brokers")
	}
	compare("at rest")

	s.press("5")
	s.press("K")
	s.see("Kill -9 broker 1?")
	s.press("y")
	s.see("2/3 up", "under-replicated 9")
	addrs = addrs[strings.Index(addrs, ",")+1:] // broker 1 has the lowest port
	compare("after kill -9")
	s.press("q")
	s.see("exit 0")
}

// equal waits until the screen says what a tool says. The tool's answer is given the time of two pictures of the groups, which are made once a second and
// are the rarest of those that the screen draws; then the cluster has moved on, and the tool is asked anew.
func (s *terminal) equal(what string, tool func() []string, screen func(string) []string) {
	s.t.Helper()
	var said, shown []string
	for range 10 {
		said = set(tool())
		for answered := time.Now(); time.Since(answered) < 2*time.Second; time.Sleep(20 * time.Millisecond) { // between two looks at the screen
			shown = set(screen(s.screen()))
			if len(said) > 0 && slices.Equal(said, shown) {
				s.t.Logf("%s: the same %d lines", what, len(said))
				return
			}
		}
	}
	s.t.Errorf("%s\n--- the tool\n%s\n--- the screen\n%s\n%s", what, strings.Join(said, "\n"), strings.Join(shown, "\n"), s.screen())
}
