// Package stack carries the Docker Compose project of this folder in the binary, so that kassa can start it wherever it is run. It starts nothing
// itself: kafkaops/compose does.
package stack

import "embed"

// Files are compose.yaml and what it names. The image of the services is built from the repository, not from these.
//
//go:embed compose.yaml fast-failover.env stock.env
var Files embed.FS
