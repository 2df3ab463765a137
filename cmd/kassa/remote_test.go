package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
)

// The commands for clusters of others take the file that Kafka's own tools take.
func TestCommandsLogIn(t *testing.T) {
	t.Parallel()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("PLAIN", "alice", "secret"))
	if err != nil {
		t.Fatal(err)
	}
	defer fake.Close()
	file := func(text string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "client.properties")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := file("security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n" +
		`sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="alice" password="secret";` + "\n")
	bad := file("security.protocol=TLS\n")
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{exitCannot, "none of the shop's topics is there", []string{"audit", "--command-config", good}},
		{exitOK, "No dead letters.", []string{"dlq", "list", "--command-config", good}},
		{exitOK, "the topics are there", []string{"topics", "--at-least=1", "--command-config", good}},
		{exitCannot, "security.protocol is PLAINTEXT, SSL", []string{"audit", "--command-config", bad}},
		{exitCannot, "security.protocol is PLAINTEXT, SSL", []string{"dlq", "list", "--command-config", bad}},
		{exitCannot, "security.protocol is PLAINTEXT, SSL", []string{"service", "order", "--command-config", bad}},
	} {
		out, code := kassaSays(t, append(c.args, "--brokers", strings.Join(fake.ListenAddrs(), ","))...)
		if code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("%q: exit code %d, want %d with %q:\n%s", c.args, code, c.code, c.want, out)
		}
	}
}
