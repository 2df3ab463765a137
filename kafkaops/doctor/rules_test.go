package doctor

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"kassa/kafkaops/local"
)

// healthy is a cluster of three with two topics of its users, at which nothing is wrong.
func healthy() *Cluster {
	c := &Cluster{ID: "id", Quorum: &Quorum{Leader: 2, Epoch: 7}, Clocks: []Clock{{Node: 2, Ahead: 3, Error: 4}}}
	for id := int32(1); id <= 3; id++ {
		c.Brokers = append(c.Brokers, Broker{ID: id, Addr: fmt.Sprintf("host:909%d", id+3), Settings: map[string]Setting{
			keyAutoCreate: {"true", "default"}, keyCopies: {"3", "file"}, keyMinISR: {"2", "cluster"}, keyUnclean: {"false", "default"},
			"offsets.topic.replication.factor": {"3", "default"}, "transaction.state.log.replication.factor": {"3", "default"},
			"transaction.state.log.min.isr": {"2", "default"},
		}})
		c.Quorum.Voters = append(c.Quorum.Voters, Voter{ID: id, FetchAgo: 400, CaughtUpAgo: 400})
	}
	for _, name := range []string{"carts", "orders"} {
		c.Topics = append(c.Topics, Topic{Name: name, Settings: map[string]Setting{keyMinISR: {"2", "cluster"}, keyUnclean: {"false", "default"}}})
		for id := range int32(3) {
			p := Partition{ID: id, Leader: 1, Replicas: []int32{1, 2, 3}, ISR: []int32{3, 1, 2}, Writers: Writers{Known: true}}
			t := &c.Topics[len(c.Topics)-1]
			t.Partitions = append(t.Partitions, p)
		}
	}
	return c
}

// on changes every partition of the topic orders.
func on(change func(*Partition)) func(*Cluster) {
	return func(c *Cluster) {
		for i := range c.topic("orders").Partitions {
			change(&c.topic("orders").Partitions[i])
		}
	}
}

// copies gives the topic orders so many replicas, all in sync, and this min.insync.replicas.
func copies(n int, least string) func(*Cluster) {
	return func(c *Cluster) {
		on(func(p *Partition) { p.Replicas, p.ISR = p.Replicas[:n], slices.Clone(p.Replicas[:n]) })(c)
		c.topic("orders").Settings[keyMinISR] = Setting{least, "topic"}
	}
}

func everywhere(key, value string) func(*Cluster) {
	return func(c *Cluster) {
		for _, b := range c.Brokers {
			b.Settings[key] = Setting{value, "file"}
		}
	}
}

func TestRules(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, c := range map[string]struct {
		change func(*Cluster)
		want   []string // "level check subject" of all that is not ok, but for what is always to note
		words  []string // somewhere in these
	}{
		"nothing wrong": {func(*Cluster) {}, nil, nil},

		"one copy":                    {copies(1, "1"), []string{"risk replication orders"}, []string{"replication factor 1", "Raise it to 3"}},
		"one copy, min ISR of others": {copies(1, "2"), []string{"risk replication orders"}, nil},
		"two copies, one in sync":     {copies(2, "1"), []string{"risk min-isr orders", "risk replication orders"}, []string{"replication factor 2"}},
		"two copies, both in sync":    {copies(2, "2"), []string{"risk min-isr orders", "risk replication orders"}, []string{"as many as replicas", "Raise the replication factor to 3, and set it to 2."}},
		"min ISR 1":                   {copies(3, "1"), []string{"risk min-isr orders"}, []string{"min.insync.replicas 1 (set on the topic)", "leader alone"}},
		"min ISR as many as replicas": {copies(3, "3"), []string{"risk min-isr orders"}, []string{"one restart"}},
		"min ISR more than replicas":  {copies(3, "4"), []string{"risk min-isr orders"}, []string{"with 3 replicas", "counts it as 3"}},
		"one partition with fewer": {func(c *Cluster) {
			p := &c.topic("orders").Partitions[1]
			p.Replicas, p.ISR = p.Replicas[:1], p.ISR[1:2]
		}, []string{"risk replication orders"}, nil},
		"settings of a topic not known": {func(c *Cluster) { c.topic("orders").Settings = nil }, nil, nil},
		"unclean election on a topic": {
			func(c *Cluster) { c.topic("orders").Settings[keyUnclean] = Setting{"true", "topic"} },
			[]string{"risk unclean orders"},
			[]string{"true (set on the topic)", "cut off"},
		},
		"unclean election everywhere is said once": {
			func(c *Cluster) {
				everywhere(keyUnclean, "true")(c)
				for _, t := range c.Topics {
					t.Settings[keyUnclean] = Setting{"true", "file"}
				}
			},
			[]string{"risk default-unclean unclean.leader.election.enable"},
			[]string{"in the brokers' files"},
		},

		"under-replicated": {on(func(p *Partition) { p.ISR = []int32{1, 3} }), []string{"risk under-replicated orders"}, []string{"3 of 3 partitions under-replicated: not in sync on broker 2"}},
		"under min ISR":    {on(func(p *Partition) { p.ISR = []int32{1} }), []string{"risk under-min-isr orders"}, []string{"refuse every acks=all write"}},
		"offline":          {on(func(p *Partition) { p.Leader, p.ISR = -1, []int32{2} }), []string{"risk offline orders"}, []string{"no leader"}},
		"a min ISR that cannot be met counts as the replicas": {
			copies(2, "3"), []string{"risk min-isr orders", "risk replication orders"}, nil,
		},

		"a broker down": {
			func(c *Cluster) {
				c.Brokers[1].Why, c.Brokers[1].Fenced, c.Brokers[1].Settings = "connection refused", true, nil
			},
			[]string{"risk broker-up broker 2", "risk voter-lag voter 2"},
			[]string{"fenced, and host:9095 gives no answer (connection refused)"},
		},
		"a broker that cannot be reached from here is no lost voter": {
			func(c *Cluster) { c.Brokers[1].Why, c.Brokers[1].Settings = "connection refused", nil },
			[]string{"risk broker-up broker 2"},
			[]string{"advertised.listeners"},
		},
		"a fenced broker":    {func(c *Cluster) { c.Brokers[1].Fenced = true }, []string{"risk broker-up broker 2"}, []string{"does not hear from it"}},
		"an unknown replica": {func(c *Cluster) { c.Brokers = append(c.Brokers, Broker{ID: 9, Why: "it is not registered"}) }, []string{"risk broker-up broker 9"}, nil},
		"a dead bootstrap":   {func(c *Cluster) { c.Dead = []Silence{{"old:9092", "connection refused"}} }, []string{"note bootstrap old:9092"}, nil},
		"brokers disagree": {
			func(c *Cluster) { c.Brokers[2].Settings[keyMinISR] = Setting{"1", "broker"} },
			[]string{"note same-settings min.insync.replicas"},
			[]string{"2 on broker 1, 2 on broker 2 and 1 on broker 3"},
		},

		"default replication 1": {everywhere(keyCopies, "1"), []string{"risk default-replication default.replication.factor"}, []string{"Topics make themselves"}},
		"default replication 1, none by itself": {
			func(c *Cluster) { everywhere(keyCopies, "1")(c); everywhere(keyAutoCreate, "false")(c) },
			[]string{"note default-replication default.replication.factor"},
			nil,
		},
		"default min ISR 1": {everywhere(keyMinISR, "1"), []string{"note default-min-isr min.insync.replicas", "risk internal-replication __consumer_offsets"}, nil},

		"offsets to be made with one copy": {everywhere("offsets.topic.replication.factor", "1"), []string{"risk internal-replication __consumer_offsets"}, []string{"not there yet", "group"}},
		"transactions to be made with one copy": {
			everywhere("transaction.state.log.replication.factor", "1"), []string{"risk internal-replication __transaction_state"}, []string{"transaction"},
		},
		"transactions to be made with min ISR 1": {
			everywhere("transaction.state.log.min.isr", "1"), []string{"risk internal-replication __transaction_state"}, []string{"transaction.state.log.min.isr=2"},
		},
		"transactions to be made with min ISR 3": {
			everywhere("transaction.state.log.min.isr", "3"), []string{"risk internal-replication __transaction_state"}, []string{"no commit counts"},
		},
		"offsets with one copy": {
			func(c *Cluster) {
				c.Topics = append(c.Topics, Topic{Name: "__consumer_offsets", Internal: true, Partitions: []Partition{{Leader: 1, Replicas: []int32{1}, ISR: []int32{1}}}})
			},
			[]string{"risk internal-replication __consumer_offsets"},
			[]string{"1 replica", "every consumer group"},
		},
		"one broker": {
			func(c *Cluster) {
				c.Brokers, c.Quorum.Voters, c.Topics = c.Brokers[:1], c.Quorum.Voters[1:2], nil
			},
			[]string{"risk broker-count brokers", "risk internal-replication __consumer_offsets", "risk internal-replication __transaction_state", "risk voter-count voters"},
			[]string{"cannot be made on 1 broker"},
		},

		"a lost quorum":           {func(c *Cluster) { c.Quorum, c.QuorumLost = nil, true }, []string{"risk quorum-lost quorum"}, nil},
		"a silent voter":          {func(c *Cluster) { c.Quorum.Voters[2].FetchAgo = 9100 }, []string{"risk voter-lag voter 3"}, []string{"last fetched 9.1 s ago", "Of 3 voters 2"}},
		"a voter that never came": {func(c *Cluster) { c.Quorum.Voters[2].FetchAgo = -1 }, []string{"risk voter-lag voter 3"}, []string{"since broker 2 leads"}},
		"a slow voter": {
			func(c *Cluster) { c.Quorum.Voters[2].CaughtUpAgo, c.Quorum.Voters[2].Lag = 20_000, 55 },
			[]string{"risk voter-lag voter 3"},
			[]string{"55 records behind"},
		},
		"two voters":  {func(c *Cluster) { c.Quorum.Voters = c.Quorum.Voters[:2] }, []string{"risk voter-count voters"}, []string{"three controllers"}},
		"four voters": {func(c *Cluster) { c.Quorum.Voters = append(c.Quorum.Voters, Voter{ID: 4}) }, []string{"note voter-count voters"}, []string{"odd"}},

		"a producer that is not idempotent": {
			on(func(p *Partition) { p.Writers = Writers{Known: true, Recent: 2, Plain: 1, Last: &at} }),
			[]string{"note idempotence orders"},
			[]string{"3 of its last 6 batches", "2026-01-02 03:04:05 UTC"},
		},

		"a clock off that of this machine": {func(c *Cluster) { c.Clocks[0].Ahead = -900 }, []string{"note clock broker 2"}, []string{"-900 ms"}},
		"a difference within the error":    {func(c *Cluster) { c.Clocks[0] = Clock{2, 900, 800} }, nil, nil},
		"clocks a little apart":            {func(c *Cluster) { c.Clocks = []Clock{{1, 0, 1}, {2, 450, 1}, {3, -400, 1}} }, []string{"note skew between brokers"}, []string{"broker 2 is 850 ms ± 2 ms ahead of broker 3"}},
		"clocks far apart": {
			func(c *Cluster) { c.Clocks = []Clock{{1, 0, 1}, {2, 60_000, 1}, {3, 0, 1}} },
			[]string{"note clock broker 2", "risk skew between brokers"},
			nil,
		},

		"a probe's topic that was left": {
			func(c *Cluster) {
				c.Topics = append(c.Topics, Topic{Name: "kassa-doctor-12345678", Partitions: []Partition{{Leader: -1, Replicas: []int32{2}}}})
			},
			[]string{"note probe-leftover kassa-doctor-12345678"},
			nil,
		},
		"something that was not told": {func(c *Cluster) { c.Unseen = []Silence{{"topic secret", "no permission"}} }, []string{"note unseen topic secret"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := healthy()
			c.change(cluster)
			got, text := troubles(examineCluster(cluster))
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			for _, w := range c.words {
				if !strings.Contains(text, w) {
					t.Errorf("nothing says %q:\n%s", w, text)
				}
			}
		})
	}
}

// troubles are the findings that are not ok, sorted, and all that they say.
func troubles(in []Finding) (short []string, text string) {
	always := []string{"acks", "clock-unseen"}
	for _, f := range in {
		if f.Level == OK || slices.Contains(always, f.Check) {
			continue
		}
		short = append(short, fmt.Sprintf("%s %s %s", f.Level, f.Check, f.Subject))
		text += strings.Join([]string{f.What, f.Risk, f.Fix}, "\n") + "\n"
	}
	slices.Sort(short)
	return short, text
}

// Whoever reads a risk is told what is at risk, and what to do.
func TestEveryRiskSaysWhatAndWhatToDo(t *testing.T) {
	c := healthy()
	copies(2, "3")(c)
	c.Brokers[0].Why, c.Brokers[0].Fenced = "gone", true
	c.Quorum.Voters = c.Quorum.Voters[:2]
	c.Clocks = []Clock{{1, 0, 1}, {2, 60_000, 1}}
	everywhere(keyUnclean, "true")(c)
	for _, f := range append(examineCluster(c), examineMachine(&Machine{Java: Java{Problem: "install Java"}, Jars: Jars{Problem: "install Maven"}})...) {
		if f.Group == "" || f.Check == "" || f.Subject == "" || f.What == "" {
			t.Errorf("it does not say what was found: %+v", f)
		}
		if f.Level == Risk && (!strings.HasSuffix(f.Risk, ".") || f.Fix == "") {
			t.Errorf("%+v", f)
		}
	}
}

func TestMachineRules(t *testing.T) {
	good := Machine{
		Java: Java{Path: "/jdk/bin/java", Version: "17.0.15"}, Jars: Jars{Source: local.JarsCached, Dir: "/cache/kafka", Version: "4.3.1", Count: 46},
		Ports: []local.Port{{Number: 9094, Free: true}, {Number: 9095, Free: true}}, Docker: Docker{Client: true, Compose: "2.40.3", Engine: "28.0"}, Cluster: "local",
	}
	for name, c := range map[string]struct {
		change func(*Machine)
		want   []string
		words  string
	}{
		"nothing wrong":      {func(*Machine) {}, nil, ""},
		"no Java":            {func(m *Machine) { m.Java, m.Cluster = Java{Problem: "install Java 17"}, "embedded" }, []string{"note cluster-auto --cluster auto", "risk java Java"}, "install Java 17"},
		"no jars":            {func(m *Machine) { m.Jars.Problem, m.Cluster = "install Maven", "embedded" }, []string{"note cluster-auto --cluster auto", "risk jars Kafka's jars"}, "simulated brokers"},
		"jars to be fetched": {func(m *Machine) { m.Jars.Source = local.JarsFromMaven }, []string{"note jars Kafka's jars"}, "Maven"},
		"a port in use":      {func(m *Machine) { m.Ports[1].Free = false }, []string{"note ports ports"}, "9095 in use"},
		"no engine":          {func(m *Machine) { m.Docker.Engine = "" }, []string{"note docker Docker"}, "no engine answers"},
		"no plugin":          {func(m *Machine) { m.Docker.Compose = "" }, []string{"note docker Docker"}, "no compose plugin"},
		"only Docker":        {func(m *Machine) { m.Java, m.Cluster = Java{Problem: "install Java 17"}, "compose" }, []string{"risk java Java"}, "install Java 17"},
		"no Docker":          {func(m *Machine) { m.Docker = Docker{} }, []string{"note docker Docker"}, "not installed"},
	} {
		t.Run(name, func(t *testing.T) {
			m := good
			m.Ports = slices.Clone(good.Ports)
			c.change(&m)
			got, text := troubles(examineMachine(&m))
			if !slices.Equal(got, c.want) || !strings.Contains(text, c.words) {
				t.Errorf("got %q, want %q, with %q in\n%s", got, c.want, c.words, text)
			}
		})
	}
}
