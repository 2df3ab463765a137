package services

import "time"

// SetCommitTimeout has commits given up sooner than a service should.
func (c *Config) SetCommitTimeout(d time.Duration) { c.commitTimeout = d }

// SetLargestBatch has a batch be too large that decompresses to more bytes than these.
func (c *Config) SetLargestBatch(n int) { c.largestBatch = n }
