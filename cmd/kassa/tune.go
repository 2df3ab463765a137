package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

// Where brokers are processes they need the machine more than we do, and have most of its memory: with one processor Go's scheduler wakes no others for work of
// microseconds, which halved what kassa takes of a core at rest (8.3 to 4.8 %) and took 3 points off at 200 orders a second; and the collector
// is told to use memory instead of time (percent of what lives, as GOGC): what lives here is some 20 MB.
//
// Simulated brokers are in this process, and what lives is their log: with the same collector 1 GB stood at 500 orders a second, with this one 150 MB.
const (
	garbage            = 400
	garbageWithBrokers = 50
)

// tuneService has a service by itself collect garbage less often: some 10 MB live in it, and at thousands of requests a second most of them are about the next one's.
func tuneService() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
}

// tune sets how this process shares the machine with its brokers. Values that the user has set (GOMAXPROCS, GOGC) stand.
func tune(simulated bool) {
	if os.Getenv("GOMAXPROCS") == "" {
		if simulated {
			runtime.SetDefaultGOMAXPROCS()
		} else {
			runtime.GOMAXPROCS(1)
		}
	}
	if os.Getenv("GOGC") == "" {
		percent := garbage
		if simulated {
			percent = garbageWithBrokers
		}
		debug.SetGCPercent(percent)
	}
}
