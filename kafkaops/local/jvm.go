package local

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// jvm is how every JVM of a cluster is started.
type jvm struct {
	java    javaVM
	jars    jarSet
	archive string // class-data archive to map in; empty for none
}

// The flags of every JVM. The figures are the time to three ready brokers on two cores, medians of five, each flag alone and without an archive
// (TieredStopAtLevel: earlier, with all others in place).
// Tried and not kept, because the difference drowned in the noise: fewer compiler threads, smaller stacks, higher compile thresholds, a larger
// young generation, interpreted method handles, an interpreted formatter, fewer broker threads. With the archive a start is bound by CPU (5 % idle).
var commonFlags = []string{
	"-XX:+UseSerialGC",        // one small heap: no worker threads, the least memory
	"-XX:TieredStopAtLevel=1", // C1 only: with C2 5.5 s against 3.5 s, and nothing gained on short runs
	"-XX:-UsePerfData",        // leaves no hsperfdata file behind after SIGKILL
	"-Xshare:auto",            // an archive that does not fit is passed over, not fatal
}

// heapFlags of a broker. A young generation that holds what a start allocates saves a dozen collections: 6.0 to 5.2 s.
var heapFlags = []string{"-Xms128m", "-Xmn64m", "-Xmx384m"}

// unverifiedFlags skip the bytecode verifier, 6.0 to 4.9 s without an archive. They are used for pinned jars only: what is known to be
// the published file bit for bit needs no second proof.
var unverifiedFlags = []string{"-XX:+UnlockDiagnosticVMOptions", "-XX:+IgnoreUnrecognizedVMOptions", "-XX:-BytecodeVerificationRemote"}

const (
	kafkaMain   = "kafka.Kafka"
	storageTool = "kafka.tools.StorageTool"
)

// flags in the order of the command line, without the archive.
func (j jvm) flags() []string {
	flags := append([]string{}, heapFlags...)
	flags = append(flags, commonFlags...)
	if j.jars.pins != nil {
		flags = append(flags, unverifiedFlags...)
	}
	return flags
}

// spec is a JVM that runs in dir, logs to logs/NAME.log there (through log4j2.properties) and says the rest in logs/NAME.out.
func (j jvm) spec(run *runDir, name string, extra []string, main string, args ...string) spec {
	line := j.flags()
	if j.archive != "" {
		line = append(line, "-XX:SharedArchiveFile="+j.archive)
	}
	line = append(line, extra...)
	line = append(
		line,
		"-Djava.io.tmpdir="+run.file(tmpName),
		"-Dkassa.log="+filepath.Join(logsName, name+".log"),
		"-Dlog4j2.configurationFile="+filepath.Join(confName, log4jName),
		"-cp", j.jars.classPath(), main,
	)
	return spec{
		Name: name, Path: j.java.path, Args: append(line, args...), Dir: run.path, Out: run.file(logsName, name+".out"),
		// What a shell profile sets for other JVMs must not change ours.
		Unset: []string{"JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS"},
	}
}

// politely has a process run at the lowest priority from its first instruction on; renice would miss threads that it has started by then.
func politely(s spec) spec {
	nice, err := exec.LookPath("nice")
	if err != nil {
		return s
	}
	s.Args = append([]string{"-n", "19", s.Path}, s.Args...)
	s.Path = nice
	return s
}

// archiveKey is different for everything that makes a class archive useless: another rehearsal, another Java, other flags, other jars. Java itself
// compares the jars' sizes and times of change, and silently does without the archive if they differ; so those count, not the content.
func (j jvm) archiveKey() (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%s\n", rehearsal, j.java.build, strings.Join(j.flags(), " "))
	for _, name := range j.jars.names {
		path := filepath.Join(j.jars.dir, name)
		info, err := os.Stat(path)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(h, path, info.Size(), info.ModTime().UnixNano())
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}
