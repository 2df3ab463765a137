package compose

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kassa/kafkaops"
)

var update = flag.Bool("update", false, "write compose/*.env anew")

// compose/*.env and kafkaops/profile.go are one source: whoever changes a setting changes it for the containers too.
func TestSettingsAreThoseOfTheProfiles(t *testing.T) {
	for _, p := range []kafkaops.Profile{kafkaops.FastFailover(), kafkaops.Stock()} {
		path := filepath.Join("..", "..", "compose", p.Name+".env")
		want := Settings(p)
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s is out of date: go test ./kafkaops/compose -run Settings -update", path)
		}
	}
}

// The rules by which the image turns variables into settings, the other way round.
func TestSettingsSurviveTheImage(t *testing.T) {
	for key, want := range map[string]string{
		"replica.fetch.backoff.ms": "KAFKA_REPLICA_FETCH_BACKOFF_MS",
		"a_b.c-d":                  "KAFKA_A__B_C___D",
	} {
		if got := variable(key); got != want {
			t.Errorf("variable(%q) = %q, want %q", key, got, want)
		}
	}
	for line := range strings.Lines(Settings(kafkaops.FastFailover())) {
		if strings.ContainsAny(line, "$'\"") && !strings.HasPrefix(line, "#") {
			t.Errorf("%q means something else in an env file", line)
		}
	}
}
