package local

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"kassa/kafkaops/flock"
)

func TestASurveyTellsWhatIsThereAndLeavesNothing(t *testing.T) {
	cfg := goodConfig(t)
	s, err := Look(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if s.JavaErr != nil || s.JavaVersion != "17.0.15" || s.Java == "" {
		t.Errorf("Java: %+v", s)
	}
	if s.JarsErr != nil || s.Jars != JarsFromHome || s.KafkaVersion != "4.0.0" || s.JarCount != 2 {
		t.Errorf("jars: %+v", s)
	}
	if len(s.Ports) != 2*nodeCount || s.Ports[0].Number != firstClientPort || s.Ports[nodeCount].Number != firstQuorumPort {
		t.Errorf("ports: %v", s.Ports)
	}
	if left, _ := os.ReadDir(cfg.CacheDir); len(left) != 0 {
		t.Errorf("left in the cache: %v", left)
	}
}

func TestASurveyTellsWhatIsMissing(t *testing.T) {
	cfg := goodConfig(t)
	cfg.Java, cfg.KafkaHome = fakeJava(t, "11.0.2", ""), ""
	t.Setenv("PATH", t.TempDir())
	s, err := Look(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	userError(t, s.JavaErr, "Java 11")
	userError(t, s.JarsErr, "Maven")

	jars := pinnedJars(cfg.CacheDir)
	write(t, "not a jar", 0o600, jars.dir, jars.names[0])
	if s, err = Look(t.Context(), cfg); err != nil || s.Jars != JarsCached {
		t.Fatalf("%+v, %v", s, err)
	}
	userError(t, s.JarsErr, jars.dir, "delete")
}

// A killed broker's port looks free, and its kassa keeps it.
func TestASurveySeesPortsThatAreHeldOrListenedOn(t *testing.T) {
	cfg := goodConfig(t)
	listen(t, firstClientPort)
	lock, err := flock.Try(write(t, "", 0o600, flock.Ports(cfg.CacheDir), strconv.Itoa(firstQuorumPort)))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	write(t, "", 0o600, filepath.Join(flock.Ports(cfg.CacheDir), strconv.Itoa(firstQuorumPort+1))) // an old lock, let go
	s, err := Look(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if s.Ports[0].Free || s.Ports[nodeCount].Free {
		t.Errorf("taken ports are said to be free: %v", s.Ports)
	}
}
