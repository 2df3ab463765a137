package services

import "context"

// MaxInstances is how many instances of a service may run at once.
const MaxInstances = 6

// Control is a service that runs in one or more instances, and what may be done to it while it runs. The methods may be called from
// several goroutines; those that ask for what is so already do nothing.
type Control interface {
	// Stats is a snapshot of all instances together.
	Stats() Stats
	// Stop ends all instances in order: they finish what they began and leave their group. It returns when they have ended, or with ctx's error.
	Stop(ctx context.Context) error
	// Crash ends all instances as kill -9 of their processes would: connections are cut, nobody says goodbye to the group, and an open
	// transaction stays open until its timeout or its heir ends it. The service is started again by its supervisor, with back-off.
	Crash() error
	// Start runs what was stopped, in as many instances as before.
	Start() error
	// Scale changes the number of instances, 1 to MaxInstances, also of a service that is stopped. Other numbers are an error.
	Scale(instances int) error
}
