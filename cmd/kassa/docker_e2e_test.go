//go:build e2e && docker

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	stack "kassa/compose"
	"kassa/kafkaops"
	"kassa/kafkaops/compose"
	"kassa/kafkaops/watch"
	"kassa/services/events"
)

// dockerStack is all of compose/, under a name and on ports of its own.
type dockerStack struct {
	t       *testing.T
	project string
	payment string // URL
	mail    string // host:port
	brokers []string
}

const (
	stackProject = "kassa-stack"
	// firstEmailWithin is how soon after `docker compose up` an order must have passed all services, on 2 cores.
	firstEmailWithin = 60 * time.Second
)

// docker runs the docker command and returns what it prints.
func docker(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command("docker", args...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		t.Fatalf("docker %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

func (s *dockerStack) compose(args ...string) string {
	s.t.Helper()
	return docker(s.t, append([]string{"compose", "--project-name", s.project, "--file", filepath.Join("..", "..", "compose", "compose.yaml")}, args...)...)
}

// container is the id of a service's container.
func (s *dockerStack) container(service string) string {
	s.t.Helper()
	return s.compose("ps", "--all", "--quiet", service)
}

// upStack is `docker compose up`, and says how long it took until an order that was made as soon as one could be had its email event.
func upStack(t *testing.T) *dockerStack {
	t.Helper()
	for name, value := range map[string]string{
		"KASSA_PORT_1": "9594", "KASSA_PORT_2": "9595", "KASSA_PORT_3": "9596",
		"KASSA_CONTROLLER_PORT_1": "19594", "KASSA_CONTROLLER_PORT_2": "19595", "KASSA_CONTROLLER_PORT_3": "19596",
		"KASSA_PAYMENT_PORT": "8700", "KASSA_MAIL_PORT": "8725", "KASSA_UI_PORT": "8780", "KASSA_SUBNET": "10.94.96",
	} {
		t.Setenv(name, value)
	}
	s := &dockerStack{
		t: t, project: stackProject, payment: "http://127.0.0.1:8700/payment-service", mail: "127.0.0.1:8725",
		brokers: []string{"127.0.0.1:9594", "127.0.0.1:9595", "127.0.0.1:9596"},
	}
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := exec.Command("docker", "compose", "--project-name", s.project, "logs", "--tail", "40").CombinedOutput()
			t.Logf("%s", out)
		}
		s.compose("down", "--volumes", "--timeout", "0")
	})
	begun := time.Now()
	s.compose("up", "--detach", "--no-build")
	t.Logf("docker compose up returned after %.1f s", time.Since(begun).Seconds())
	until(t, "payment takes an order", func() bool { return s.pay("first").accepted })
	paid := time.Since(begun)
	until(t, "the order's email event is there", func() bool {
		return slices.ContainsFunc(readAll(t, s.brokers), func(r seen) bool { return r.topic == events.EmailSuccessful })
	})
	took := time.Since(begun)
	t.Logf("first payment after %.1f s, its email event after %.1f s", paid.Seconds(), took.Seconds())
	if took > firstEmailWithin {
		t.Errorf("the first email event came %.1f s after docker compose up, want %v", took.Seconds(), firstEmailWithin)
	}
	return s
}

// answer is what a customer can know of their order.
type answer struct{ accepted, refused bool }

var customer = &http.Client{Timeout: 20 * time.Second}

// pay checks the default cart out. Unknown is what is neither accepted nor refused.
func (s *dockerStack) pay(user string) answer {
	body, err := json.Marshal(map[string]any{"userId": user, "cart": events.DefaultCart()})
	if err != nil {
		s.t.Error(err)
		return answer{}
	}
	res, err := customer.Post(s.payment, "application/json", strings.NewReader(string(body)))
	if err != nil {
		var dial *net.OpError
		return answer{refused: errors.As(err, &dial) && dial.Op == "dial"} // nothing was sent
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return answer{accepted: res.StatusCode == http.StatusOK}
}

// `docker compose up` is all that the shop needs. Its services live through kill −9 as they do in one process, and the log is whole after the network of the quorum's
// leader was cut and each broker killed. The full figure takes KASSA_E2E_CHECKOUTS=20000.
func TestDockerStack(t *testing.T) {
	s := upStack(t)
	t.Run("is what compose.yaml says", func(t *testing.T) { s.isSound(t) })
	t.Run("crashes lose nothing", func(t *testing.T) { s.crashEverything(t) })
	t.Run("the screen uses it as it is", func(t *testing.T) { s.isUsed(t) })
}

// isSound looks at what holds whatever happens: replicas, and what the containers may do.
func (s *dockerStack) isSound(t *testing.T) {
	cl, err := kgo.NewClient(kafkaops.ClientOptions(s.brokers)...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	topics, err := adm.ListTopicsWithInternal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(events.Topics(), "__consumer_offsets", "__transaction_state") {
		topic, ok := topics[name]
		if !ok || len(topic.Partitions) != 3 || topic.Partitions.NumReplicas() != 3 {
			t.Errorf("%s: %d partitions, %d replicas", name, len(topic.Partitions), topic.Partitions.NumReplicas())
		}
		configs, err := adm.DescribeTopicConfigs(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range configs[0].Configs {
			if c.Key == "min.insync.replicas" && c.MaybeValue() != "2" {
				t.Errorf("%s: min.insync.replicas=%s", name, c.MaybeValue())
			}
		}
	}
	brokers, err := adm.DescribeBrokerConfigs(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range kafkaops.FastFailover().Settings {
		if i := slices.IndexFunc(brokers[0].Configs, func(c kadm.Config) bool { return c.Key == want.Key }); i >= 0 && brokers[0].Configs[i].MaybeValue() != want.Value {
			t.Errorf("broker 2 has %s=%s, and the profile %s", want.Key, brokers[0].Configs[i].MaybeValue(), want.Value)
		}
	}
	for _, service := range []string{"payment", "order", "email", "analytics"} {
		got := docker(t, "inspect", "--format", "{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}}", s.container(service))
		if got != "65532:65532 true [ALL]" {
			t.Errorf("%s runs as %s", service, got)
		}
	}
	for line := range strings.Lines(docker(t, "ps", "--filter", "label=com.docker.compose.project="+s.project, "--format", "{{.Names}} {{.Ports}}")) {
		for _, field := range strings.Fields(line)[1:] {
			if strings.Contains(field, "->") && !strings.HasPrefix(field, "127.0.0.1:") {
				t.Errorf("published beyond loopback: %s", line)
			}
		}
	}
	until(t, "the first order's mail is with the mail catcher", func() bool {
		res, err := http.Get("http://" + s.mail + "/api/v1/info")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		var info struct{ Messages int }
		return json.NewDecoder(res.Body).Decode(&info) == nil && info.Messages > 0
	})
}

// isUsed is a person before the screen: an order goes through the containers' services, one of which is crashed and comes back, and all of it stays when they leave.
func (s *dockerStack) isUsed(t *testing.T) {
	before := s.compose("ps", "--quiet")
	screen := newTerminal(t, 130, 42, binary+" --cluster compose", "COMPOSE_PROJECT_NAME="+s.project)
	screen.see("compose", "3/3 up", "under-replicated 0")
	// The screen counts from where the topics ended when a broker had told it: an order before that is not its own.
	complete, ordered := regexp.MustCompile(`[1-9]\d* complete`), time.Time{}
	screen.until("an order is complete", func() bool {
		if time.Since(ordered) > 10*time.Second {
			screen.press("c")
			ordered = time.Now()
		}
		text := screen.screen()
		return complete.MatchString(text) && strings.Contains(text, "✓ acked") && strings.Contains(text, "0 in flight")
	})
	screen.press("8")
	screen.see("running")
	screen.press("j", "K")
	screen.see("Crash order?")
	screen.press("y")
	screen.see("CRASHED", "signal: killed")
	screen.until("it is back", func() bool { return !strings.Contains(screen.screen(), "CRASHED") })
	screen.press("c")
	screen.see("2 complete", "0 in flight")
	screen.press("q")
	screen.see("exit 0")
	screen.restored()
	if after := s.compose("ps", "--quiet"); after != before {
		t.Errorf("containers that run before: %s, after: %s", before, after)
	}
}

func (s *dockerStack) crashEverything(t *testing.T) {
	each, rate, least := 3, 60, 1500
	if testing.Short() {
		each, least = 1, 500
	}
	if text := os.Getenv("KASSA_E2E_CHECKOUTS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		each, rate, least = crashesEach, 200, n
	}
	cluster, err := compose.Start(t.Context(), compose.Config{Files: stack.Files, Project: s.project, CacheDir: t.TempDir()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
		if cluster.Owned() != compose.Joined {
			t.Errorf("owned %d", cluster.Owned())
		}
	}()
	watcher := watch.Start(cluster, watch.Config{Topics: events.Topics()})
	defer watcher.Close()

	var (
		mu                          sync.Mutex
		accepted, unknown           = map[string]bool{"first": true}, map[string]bool{}
		refused, offered, unsettled int
		customers                   sync.WaitGroup
	)
	acked := func() int { mu.Lock(); defer mu.Unlock(); return len(accepted) }
	submit := func() {
		user := fmt.Sprintf("customer-%d", offered)
		offered++
		customers.Go(func() {
			a := s.pay(user)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case a.accepted:
				accepted[user] = true
			case a.refused:
				refused++
			default:
				unknown[user] = true
				unsettled++
			}
		})
	}
	paying := func() error {
		from := acked()
		return waitFor(func() bool { return acked() > from })
	}

	ends := make(chan error, 2)
	go func() { ends <- s.breakBrokers(cluster, watcher, paying) }()
	go func() { ends <- s.crashServices(each, paying) }()
	begun := time.Now()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for waiting := cap(ends); waiting > 0 || offered < least; {
		select {
		case <-tick.C:
			for offered < int(time.Since(begun).Seconds()*float64(rate)) {
				submit()
			}
		case err := <-ends:
			if err != nil {
				t.Fatal(err)
			}
			waiting--
		}
	}
	spent := time.Since(begun)
	customers.Wait()

	// What was paid for gets through, in the end.
	var log []seen
	until(t, "every payment has its email event", func() bool {
		log = readAll(t, s.brokers)
		count := map[string]int{}
		for _, r := range log {
			count[r.topic]++
		}
		return count[events.EmailSuccessful] == count[events.PaymentSuccessful]
	})
	checkouts := map[string]string{} // by user
	for _, r := range log {
		if r.topic == events.PaymentSuccessful {
			checkouts[r.user] = r.checkout
		}
	}
	named := func(users map[string]bool) map[string]bool {
		ids := map[string]bool{}
		for user := range users {
			if id := checkouts[user]; id != "" {
				ids[id] = true
			} else {
				ids["of "+user] = true // lost, if it was accepted
			}
		}
		return ids
	}
	if repeated := verdict(t, log, named(accepted), named(unknown)); repeated > 0 {
		t.Errorf("%d repeated under exactly-once", repeated)
	}
	t.Logf("%d orders at %.0f/s: %d accepted, %d unknown, %d refused", offered, float64(offered)/spent.Seconds(), len(accepted), unsettled, refused)
}

// crashServices kills each service's container again and again, each time when orders are accepted, and starts it again: the engine does not, when it was told to kill.
func (s *dockerStack) crashServices(each int, paying func() error) error {
	for range each {
		for _, service := range []string{"order", "email", "analytics", "payment"} {
			if err := paying(); err != nil {
				return fmt.Errorf("before the crash of %s: %w", service, err)
			}
			id := s.container(service)
			for _, verb := range []string{"kill", "start"} {
				if out, err := exec.Command("docker", verb, id).CombinedOutput(); err != nil {
					return fmt.Errorf("docker %s of %s: %w: %s", verb, service, err, out)
				}
			}
		}
	}
	return paying()
}

// breakBrokers cuts the network of the quorum's leader, then kills each broker, and each time waits until orders are accepted without it.
func (s *dockerStack) breakBrokers(cluster kafkaops.Cluster, watcher *watch.Watcher, paying func() error) error {
	whole := func() bool {
		st := watcher.State()
		return st.Quorum.Known && len(st.Partitions) == 9 && st.UnderReplicated() == 0 && st.Count(watch.Up) == 3
	}
	round := func(hurt, heal kafkaops.Verb, node int32) error {
		if err := cluster.Do(s.t.Context(), kafkaops.Fault{Verb: hurt, Node: node}); err != nil {
			return err
		}
		gone := func() bool {
			st := watcher.State()
			return st.Quorum.Leader != node && !slices.ContainsFunc(st.Partitions, func(p watch.Partition) bool { return p.Leader == node || slices.Contains(p.ISR, node) })
		}
		if err := waitFor(gone); err != nil {
			return fmt.Errorf("after %s of broker %d: %w", hurt, node, err)
		}
		if err := paying(); err != nil {
			return fmt.Errorf("orders after %s of broker %d: %w", hurt, node, err)
		}
		if err := cluster.Do(s.t.Context(), kafkaops.Fault{Verb: heal, Node: node}); err != nil {
			return err
		}
		if err := waitFor(whole); err != nil {
			return fmt.Errorf("after %s of broker %d: %w: %+v", heal, node, err, *watcher.State())
		}
		return nil
	}
	if err := waitFor(whole); err != nil {
		return err
	}
	if err := round(kafkaops.Cut, kafkaops.Reconnect, watcher.State().Quorum.Leader); err != nil {
		return err
	}
	for id := int32(1); id <= 3; id++ {
		if err := round(kafkaops.Kill, kafkaops.Start, id); err != nil {
			return err
		}
	}
	return nil
}

// `kassa cluster --cluster compose` is three brokers for other programs, of which nothing is left when it is told to end.
func TestDockerCluster(t *testing.T) {
	t.Setenv("KASSA_SUBNET", "10.94.97")
	p := start(t, "cluster", "--cluster", "compose", "--ports", "9694,9695,9696")
	brokers := p.line()
	if brokers != "127.0.0.1:9694,127.0.0.1:9695,127.0.0.1:9696" {
		t.Fatalf("bootstrap servers %q", brokers)
	}
	cl, err := kgo.NewClient(append(kafkaops.ClientOptions(strings.Split(brokers, ",")), kgo.AllowAutoTopicCreation())...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "docker-cluster", Value: []byte("x")}).FirstErr(); err != nil {
		t.Error(err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := p.wait(); code != 0 {
		t.Errorf("exit code %d: %s", code, p.errs)
	}
	for _, list := range [][]string{{"ps", "--all"}, {"network", "ls"}, {"volume", "ls"}} {
		if out := docker(t, append(list, "--quiet", "--filter", "label=com.docker.compose.project="+compose.Project)...); out != "" {
			t.Errorf("docker %s: %s", strings.Join(list, " "), out)
		}
	}
}
