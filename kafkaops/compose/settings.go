package compose

import (
	"fmt"
	"strings"

	"kassa/kafkaops"
)

// Settings renders a profile as the environment of a broker's container: the official image makes a line of server.properties of every variable
// that begins with KAFKA_ (kafka.docker.KafkaDockerWrapper).
func Settings(p kafkaops.Profile) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Broker settings of the profile %s, written from kafkaops/profile.go by\n#   go test ./kafkaops/compose -run Settings -update\n# Do not edit.\n", p.Name)
	for _, s := range p.Settings {
		fmt.Fprintf(&b, "\n# %s\n# Kafka's own: %s\n%s=%s\n", s.Why, s.Default, variable(s.Key), s.Value)
	}
	return b.String()
}

// variable is the name that the image makes this key of; the image writes _ as __ and - as ___.
func variable(key string) string {
	return "KAFKA_" + strings.ToUpper(strings.NewReplacer("_", "__", "-", "___", ".", "_").Replace(key))
}
