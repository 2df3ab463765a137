package main

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"kassa/kafkaops"
	"kassa/kafkaops/local"
)

// auto goes from processes to containers to a simulation, and says why.
func TestAutoTakesTheFirstThatThereCanBe(t *testing.T) {
	java := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(java, "release"), "JAVA_VERSION=\"17.0.15\"\n")
	write(filepath.Join(java, "bin", "java"), "#!/bin/sh\n")
	kafka := t.TempDir()
	write(filepath.Join(kafka, "libs", "kafka_2.13-4.3.1.jar"), "")
	engine, noEngine := t.TempDir(), t.TempDir()
	write(filepath.Join(engine, "docker"), "#!/bin/sh\necho 28.0\n")
	write(filepath.Join(noEngine, "docker"), "#!/bin/sh\n[ $1 = compose ] && exit 0\necho 'Cannot connect to the Docker daemon.' >&2\nexit 1\n")
	for name, c := range map[string]struct {
		java, path string
		want       string
		why        []string
	}{
		"all there":       {java, engine, providerAuto, nil},
		"no Java":         {"", engine, providerCompose, []string{"no brokers on this machine", "Java"}},
		"no engine":       {"", noEngine, providerEmbedded, []string{"no real brokers", "Java", "no containers", "Cannot connect to the Docker daemon"}},
		"neither of both": {"", t.TempDir(), providerEmbedded, []string{"Java", "no docker command"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PATH", c.path)
			t.Setenv("JAVA_HOME", c.java)
			src := &source{provider: providerAuto, local: local.Config{KafkaHome: kafka, CacheDir: t.TempDir(), Log: slog.New(slog.DiscardHandler)}}
			if err := src.preflight(t.Context()); err != nil || src.provider != c.want {
				t.Fatalf("%s (%s), %v; want %s", src.provider, src.why, err, c.want)
			}
			if src.fell != (c.want != providerAuto) || src.fell && (!strings.Contains(src.told(), "Java") || strings.Contains(src.told(), noLocal)) {
				t.Errorf("it fell back (%v), and tells %q", src.fell, src.told())
			}
			for _, word := range c.why {
				if !strings.Contains(src.why, word) {
					t.Errorf("%q does not say %q", src.why, word)
				}
			}

			// Ports that were asked for are refused when they are another's, whatever the machine has: no other provider could have them.
			taken, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer taken.Close()
			port := taken.Addr().(*net.TCPAddr).Port
			src = &source{provider: providerAuto, local: local.Config{KafkaHome: kafka, CacheDir: t.TempDir(), Log: slog.New(slog.DiscardHandler), Ports: []int{port, 20011, 20012}}}
			var user *kafkaops.UserError
			if err := src.preflight(t.Context()); !errors.As(err, &user) || !strings.Contains(user.Message, strconv.Itoa(port)) || src.provider != providerAuto {
				t.Errorf("a port is taken, and it says %v and goes on with %s", err, src.provider)
			}
		})
	}
}
