//go:build !linux

package perlre

import "time"

// clock measures time; of the processor's there is no telling here.
type clock struct{ begin time.Time }

func startClock() clock             { return clock{time.Now()} }
func (c clock) read() time.Duration { return time.Since(c.begin) }
func (c clock) stop() time.Duration { return c.read() }
