package stack_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	stack "kassa/compose"
	"kassa/kafkaops/local"
)

// service is what of a service is looked at here.
type service struct {
	Image       string
	Ports       []string
	Environment map[string]any
	ReadOnly    bool     `yaml:"read_only"`
	CapDrop     []string `yaml:"cap_drop"`
	Restart     string
	DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
}

func services(t *testing.T) map[string]service {
	t.Helper()
	text, err := stack.Files.ReadFile("compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Services map[string]service }
	if err := yaml.UnmarshalWithOptions(text, &file, yaml.AllowDuplicateMapKey()); err != nil {
		t.Fatal(err)
	}
	return file.Services
}

// Nothing that is published can be reached from another machine, and every image is one version.
func TestPortsAreOnLoopbackAndImagesPinned(t *testing.T) {
	for name, s := range services(t) {
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s publishes %s beyond loopback", name, p)
			}
		}
		if _, tag, _ := strings.Cut(s.Image, ":"); tag == "" || tag == "latest" {
			t.Errorf("%s runs %q, which is any version", name, s.Image)
		}
	}
}

// The brokers run the Kafka that kassa runs itself, differ in nothing but who they are, and stay dead when they were killed.
func TestBrokersAreAlike(t *testing.T) {
	all := services(t)
	var first map[string]any
	for id := 1; id <= 3; id++ {
		b := all[fmt.Sprintf("kafka-%d", id)]
		if b.Image != "apache/kafka:"+local.KafkaVersion || b.Restart != "no" || fmt.Sprint(b.Environment["KAFKA_NODE_ID"]) != fmt.Sprint(id) {
			t.Errorf("broker %d: %+v", id, b)
		}
		delete(b.Environment, "KAFKA_NODE_ID")
		delete(b.Environment, "KAFKA_ADVERTISED_LISTENERS")
		if first == nil {
			first = b.Environment
		} else if fmt.Sprint(slices.Sorted(maps.Keys(first)), first) != fmt.Sprint(slices.Sorted(maps.Keys(b.Environment)), b.Environment) {
			t.Errorf("broker %d has %v, broker 1 %v", id, b.Environment, first)
		}
	}
}

// Our own containers can write nowhere and start when the topics are there.
func TestServicesMayDoLittle(t *testing.T) {
	for _, name := range []string{"topics", "payment", "order", "email", "analytics"} {
		s, ok := services(t)[name]
		if !ok || !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) {
			t.Errorf("%s: %+v", name, s)
		}
		if name != "topics" && s.DependsOn["topics"].Condition != "service_completed_successfully" {
			t.Errorf("%s starts before the topics are there", name)
		}
	}
}
