package local

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"kassa/kafkaops"
)

// minJava is what brokers from Kafka 4.0 on need (KIP-1013).
const minJava = 17

// javaVM is a Java that was found good.
type javaVM struct {
	path  string // of the java program, links resolved
	major int
	// build is whatever tells this JVM from another: part of the class archive's name.
	build string
}

// findJava looks for the Java that cfg means and asks for its version: in the file that every JDK keeps beside bin, else by running it.
func findJava(ctx context.Context, cfg Config) (javaVM, error) {
	path, err := javaPath(cfg.Java)
	if err != nil {
		return javaVM{}, err
	}
	build, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(path)), "release"))
	major := major(releaseVersion(string(build)))
	if err != nil || major == 0 {
		build, err = exec.CommandContext(ctx, path, "-version").CombinedOutput()
		if ctx.Err() != nil {
			return javaVM{}, context.Cause(ctx)
		}
		major = versionMajor(string(build))
		if err != nil || major == 0 {
			return javaVM{}, &kafkaops.UserError{
				Message: fmt.Sprintf("%s does not say its version: install Java %d or newer, or set JAVA_HOME to one", path, minJava), Err: err,
			}
		}
	}
	if major < minJava {
		return javaVM{}, &kafkaops.UserError{
			Message: fmt.Sprintf("%s is Java %d and Kafka needs %d or newer: install one, or set JAVA_HOME to one", path, major, minJava),
		}
	}
	return javaVM{path: path, major: major, build: path + "\n" + string(build)}, nil
}

func javaPath(given string) (string, error) {
	path, from := given, "given"
	if path == "" {
		if home := os.Getenv("JAVA_HOME"); home != "" {
			path, from = filepath.Join(home, "bin", "java"), "JAVA_HOME"
		}
	}
	if path == "" {
		found, err := exec.LookPath("java")
		if err != nil {
			return "", &kafkaops.UserError{
				Message: fmt.Sprintf("there is no Java here: install Java %d or newer, or set JAVA_HOME to one", minJava), Err: err,
			}
		}
		path = found
	}
	found, err := exec.LookPath(path) // also checks that it may be executed
	if err == nil {
		found, err = filepath.EvalSymlinks(found)
	}
	if err == nil {
		found, err = filepath.Abs(found)
	}
	if err != nil {
		advice := fmt.Sprintf("name a Java %d or newer", minJava)
		if from == "JAVA_HOME" {
			advice = fmt.Sprintf("set JAVA_HOME to a Java %d or newer, or unset it", minJava)
		}
		reason := "it cannot be run"
		if errors.Is(err, os.ErrNotExist) {
			reason = "there is no such program"
		}
		return "", &kafkaops.UserError{Message: fmt.Sprintf("%s (from %s): %s: %s", path, from, reason, advice), Err: err}
	}
	return found, nil
}

// releaseVersion reads JAVA_VERSION="17.0.15" from a JDK's release file; "" if it is not there.
func releaseVersion(release string) string {
	for lines := bufio.NewScanner(strings.NewReader(release)); lines.Scan(); {
		if v, ok := strings.CutPrefix(lines.Text(), "JAVA_VERSION="); ok {
			return strings.Trim(v, `"`)
		}
	}
	return ""
}

var quotedVersion = regexp.MustCompile(`version "([^"]+)"`)

// versionMajor reads the output of java -version; 0 if it is none.
func versionMajor(output string) int {
	m := quotedVersion.FindStringSubmatch(output)
	if m == nil {
		return 0
	}
	return major(m[1])
}

var number = regexp.MustCompile(`\d+`)

// major of "17.0.15" is 17, of "1.8.0_292" 8 and of "25-ea" 25.
func major(version string) int {
	parts := number.FindAllString(version, 2)
	if len(parts) == 2 && parts[0] == "1" {
		parts = parts[1:]
	}
	if len(parts) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(parts[0]) // digits only; 0 when there are absurdly many
	return n
}
