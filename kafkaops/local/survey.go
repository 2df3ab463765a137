package local

import (
	"context"
	"os"
	"path/filepath"
	"strconv"

	"kassa/kafkaops/flock"
)

// Survey is what Start would find on this machine.
type Survey struct {
	Java        string // path of the java program; empty with JavaErr
	JavaVersion string // "17.0.15", or the major alone where Java keeps no release file
	JavaErr     error  // why there is no Java that will do; a *kafkaops.UserError

	Jars         JarSource
	JarsDir      string
	KafkaVersion string
	JarCount     int
	Maven        string // the program that will fetch the jars; only with JarsFromMaven
	JarsErr      error  // why there are no jars that will do; a *kafkaops.UserError

	Ports []Port // those that kassa takes when all of them are free: clients first, then the quorum
}

// JarSource says where Kafka's jars come from.
type JarSource string

// The sources of Kafka's jars.
const (
	JarsCached    JarSource = "cache" // the pinned set, each compared with its pin
	JarsFromHome  JarSource = "home"  // the user's own, used as they are
	JarsFromMaven JarSource = "maven" // not there yet
)

// Port is one TCP port on 127.0.0.1.
type Port struct {
	Number int  `json:"number"`
	Free   bool `json:"free"`
}

// Look makes the survey and changes nothing, not even the cache directory. Comparing the jars with their pins reads 44 MB. An error
// means that there is no survey; what is missing on the machine is in it.
func Look(ctx context.Context, cfg Config) (Survey, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return Survey{}, err
	}
	var s Survey
	java, err := findJava(ctx, cfg)
	if ctx.Err() != nil {
		return s, context.Cause(ctx)
	}
	s.Java, s.JavaErr = java.path, err
	if err == nil {
		if s.JavaVersion = releaseVersion(java.build); s.JavaVersion == "" {
			s.JavaVersion = strconv.Itoa(java.major)
		}
	}
	jars, mvn, err := findJars(cfg)
	s.JarsDir, s.KafkaVersion, s.JarCount, s.Maven, s.JarsErr = jars.dir, jars.version, len(jars.names), mvn, err
	switch {
	case cfg.KafkaHome != "":
		s.Jars = JarsFromHome
	case !jars.present():
		s.Jars = JarsFromMaven
	default:
		s.Jars = JarsCached
		s.JarsErr = jars.verify(ctx)
	}
	for _, first := range []int{firstClientPort, firstQuorumPort} {
		for port := first; port < first+nodeCount; port++ {
			s.Ports = append(s.Ports, Port{port, portFree(ctx, port) && !portHeld(cfg.CacheDir, port)})
		}
	}
	if ctx.Err() != nil {
		return s, context.Cause(ctx)
	}
	return s, nil
}

// portHeld says whether another kassa keeps the port for a broker that is down.
func portHeld(cacheDir string, port int) bool {
	path := filepath.Join(flock.Ports(cacheDir), strconv.Itoa(port))
	if _, err := os.Stat(path); err != nil {
		return false // nobody has used it, and looking must not make the file
	}
	lock, err := flock.Try(path)
	if err != nil {
		return true
	}
	lock.Close()
	return false
}
