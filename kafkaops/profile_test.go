package kafkaops_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"kassa/kafkaops"
)

// What keeps records safe is no matter of taste: a profile that lowers it would make every verdict worthless.
func TestEveryProfileKeepsRecordsSafe(t *testing.T) {
	for _, name := range []string{kafkaops.ProfileFastFailover, kafkaops.ProfileStock} {
		got := values(t, profile(t, name))
		for key, want := range map[string]string{
			"default.replication.factor":               "3",
			"min.insync.replicas":                      "2",
			"offsets.topic.replication.factor":         "3",
			"transaction.state.log.replication.factor": "3",
			"transaction.state.log.min.isr":            "2",
		} {
			if got[key] != want {
				t.Errorf("%s: %s=%q, want %q", name, key, got[key], want)
			}
		}
	}
}

func TestStockLeavesFailoverToKafka(t *testing.T) {
	stock := values(t, kafkaops.Stock())
	for key := range stock {
		for _, prefix := range []string{"broker.", "controller.", "replica.", "leader.", "group.", "transaction.abort"} {
			if strings.HasPrefix(key, prefix) {
				t.Errorf("stock sets %s", key)
			}
		}
	}
	fast := values(t, kafkaops.FastFailover())
	for key, value := range stock {
		if fast[key] != value {
			t.Errorf("%s is %q in stock and %q in fast-failover: comparing the two would compare that as well", key, value, fast[key])
		}
	}
}

func TestEverySettingSaysWhy(t *testing.T) {
	for _, s := range kafkaops.FastFailover().Settings {
		if s.Key == "" || s.Default == "" || s.Why == "" {
			t.Errorf("%+v lacks its key, Kafka's default or its reason", s)
		}
	}
}

func TestPropertiesHoldEverySettingOnce(t *testing.T) {
	p := kafkaops.FastFailover()
	got := values(t, p)
	want := make(map[string]string)
	for _, s := range p.Settings {
		want[s.Key] = s.Value
	}
	if len(want) != len(p.Settings) || !maps.Equal(got, want) {
		t.Errorf("rendered %v, want %v", got, want)
	}
}

func TestAWrongProfileNameSaysWhatThereIs(t *testing.T) {
	_, err := kafkaops.ProfileByName("fast")
	var user *kafkaops.UserError
	if !errors.As(err, &user) || !strings.Contains(user.Message, kafkaops.ProfileStock) {
		t.Errorf("got %v", err)
	}
}

func profile(t *testing.T, name string) kafkaops.Profile {
	t.Helper()
	p, err := kafkaops.ProfileByName(name)
	if err != nil || p.Name != name {
		t.Fatalf("ProfileByName(%q) = %q, %v", name, p.Name, err)
	}
	return p
}

func values(t *testing.T, p kafkaops.Profile) map[string]string {
	t.Helper()
	got := make(map[string]string)
	for line := range strings.Lines(p.Properties()) {
		key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if _, twice := got[key]; !ok || twice {
			t.Fatalf("line %q", line)
		}
		got[key] = value
	}
	return got
}
