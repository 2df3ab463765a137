package local

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"syscall"

	"kassa/kafkaops"
)

const log4jName = "log4j2.properties"

// log4jConf is in the properties format, which needs no Jackson and no XML parser at start: 6.0 to 5.7 s for three brokers. INFO costs 0.1-0.3 s
// of that and is kept: a log that says nothing helps nobody. Logs roll at 4 MB, one old file is kept.
const log4jConf = `appender.file.type=RollingFile
appender.file.name=File
appender.file.fileName=${sys:kassa.log}
appender.file.filePattern=${sys:kassa.log}.%i
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=[%d] %p %m (%c)%n
appender.file.policies.type=Policies
appender.file.policies.size.type=SizeBasedTriggeringPolicy
appender.file.policies.size.size=4MB
appender.file.strategy.type=DefaultRolloverStrategy
appender.file.strategy.max=1
rootLogger.level=INFO
rootLogger.appenderRef.file.ref=File
`

// logTail is how much of the end of a log is searched, in bytes.
const logTail = 64 << 10

var (
	logLine   = regexp.MustCompile(`^\[[^\]]+\] (\w+) (.*)$`)
	javaError = regexp.MustCompile(`^(?:Exception in thread "[^"]*" |Caused by: |Error: |Error occurred |# )?((?:[\w$]+\.)+\w*(?:Exception|Error)\b.*|Could not .*|There is insufficient memory.*)$`)
	class     = regexp.MustCompile(`^(?:[\w$]+\.)+(\w*(?:Exception|Error)\b)`)
	loggerEnd = regexp.MustCompile(` \([\w.$]+\)$`)
)

// lastError finds the last line that tells why a JVM ended: the innermost cause behind the last FATAL or ERROR of its log (NAME.log), else
// what it wrote before it could log (NAME.out). Empty if neither says anything.
func lastError(run *runDir, name string) string {
	for _, suffix := range []string{".log", ".out"} {
		if said := errorIn(readTail(run.file(logsName, name+suffix))); said != "" {
			return said
		}
	}
	return ""
}

func errorIn(text []byte) string {
	var said, cause string
	inError := true // what comes before any log line is the JVM's own
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\r\n")
		if m := logLine.FindStringSubmatch(line); m != nil {
			inError = m[1] == "ERROR" || m[1] == "FATAL"
			if inError {
				said, cause = loggerEnd.ReplaceAllString(m[2], ""), ""
			}
			continue
		}
		if m := javaError.FindStringSubmatch(strings.TrimSpace(line)); inError && m != nil {
			cause = class.ReplaceAllString(m[1], "$1")
		}
	}
	if cause != "" {
		said = cause
	}
	const enough = 240
	if r := []rune(said); len(r) > enough {
		said = string(r[:enough]) + " …"
	}
	return said
}

func readTail(path string) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > logTail {
		_, _ = f.Seek(-logTail, io.SeekEnd) // at worst more is read than needed
	}
	text, _ := io.ReadAll(io.LimitReader(f, 2*logTail))
	return text
}

// failedJVM is a JVM of ours that ended when it should not have.
type failedJVM struct {
	what string // "broker 2", "Kafka's formatter"
	exit string // with the reason from its log, if there is one
}

func (e *failedJVM) Error() string { return fmt.Sprintf("%s ended (%s)", e.what, e.exit) }

// portTaken says that it could not listen: another program was faster.
func (e *failedJVM) portTaken() bool { return strings.Contains(e.exit, "Address already in use") }

// forUser makes a sentence of it where the person can do something.
func (e *failedJVM) forUser(run *runDir, profile string) error {
	advice := "see the files in " + run.file(logsName)
	left, err := free(run.path)
	switch {
	case err == nil && left < 1<<20: // what Kafka makes of a full disk does not always say so
		advice = fmt.Sprintf("the disk of %s is full: free at least %d MB", run.path, minFree>>20)
	case e.portTaken():
		advice = "end what listens there, or give other ports"
	case strings.Contains(e.exit, "insufficient memory"), strings.Contains(e.exit, "Could not reserve enough space"):
		advice = "close something: three brokers need about 600 MB"
	case !run.kept:
		advice = fmt.Sprintf("give --data-dir to keep the brokers' logs (profile %s)", profile)
	}
	return &kafkaops.UserError{Message: fmt.Sprintf("%v: %s", e, advice), Err: e}
}

// fromSystem turns failures of the disk during a start into a sentence for the user; anything else passes as it is.
func fromSystem(run *runDir, err error) error {
	for _, known := range []error{syscall.ENOSPC, syscall.EROFS, syscall.EACCES, syscall.EDQUOT} {
		if errors.Is(err, known) {
			what := "folder for temporary files"
			if run.kept {
				what = "data directory"
			}
			return unusableDir(what, run.path, err)
		}
	}
	return err
}

// withReason adds what the log says to how a process ended.
func withReason(run *runDir, name, exit string) string {
	if strings.HasPrefix(exit, "signal: ") && !strings.Contains(exit, "core dumped") {
		return exit // somebody ended it; its log knows nothing of that
	}
	if exit == "exit status 143" { // 128 + SIGTERM is how a JVM that ended in order reports it
		return "signal: terminated"
	}
	if said := lastError(run, name); said != "" {
		return exit + ": " + said
	}
	return exit
}
