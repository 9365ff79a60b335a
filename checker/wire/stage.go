package wire

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Stage is how far a check got.
type Stage uint8

// The stages of a check, in order. A protocol that lacks a stage skips it.
const (
	AtStart   Stage = iota // no request was sent
	AtConnect              // opening a connection
	AtTLS                  // the handshake, and the server's certificate
	AtLogin                // logging in
	AtAnswer               // reading the answer
	AtMatch                // comparing the answer with receive
)

// staged is an error with its stage.
type staged struct {
	error
	stage Stage
}

func (s *staged) Unwrap() error { return s.error }

// Of marks an error with a stage.
func (s Stage) Of(err error) error {
	if err == nil {
		return nil
	}
	return &staged{err, s}
}

// StageOf returns the stage with which an error was last marked, or AtAnswer if it was not.
func StageOf(err error) Stage {
	var at *staged
	if errors.As(err, &at) {
		return at.stage
	}
	return AtAnswer
}

// Stages holds the time at which each stage of a check was first completed, in µs since the check's start. 0 means that
// the stage was not completed, or that the protocol lacks it. Stages may be completed in another order: a server that
// greets sends first.
type Stages [Marks]uint32

// Mark is the end of a stage of a check, for measurements. The names of the marks are stable.
type Mark uint8

// The marks of a check.
const (
	MarkLookup    Mark = iota // a name was looked up
	MarkConnect               // there is a connection
	MarkTLS                   // the handshake is over
	MarkSent                  // the first request was sent
	MarkFirstByte             // the first byte of the server's data arrived
	MarkAnswer                // the answer arrived: all of it, or the part that decides
	MarkMatch                 // the answer was compared
	Marks                     // how many there are
)

func (m Mark) String() string {
	return [Marks]string{"lookup", "connect", "TLS", "sent", "first byte", "whole answer", "match"}[m]
}

// micros returns a duration in the unit of Stages. It is at least 1, because 0 means not completed.
func micros(d time.Duration) uint32 { return uint32(min(max(d.Microseconds(), 1), math.MaxUint32)) }

// Set notes when a stage was completed.
func (s *Stages) Set(m Mark, after time.Duration) { s[m] = micros(after) }

// String lists the completed stages in the order of their completion: connect 0.3 ms, sent 0.4 ms.
func (s Stages) String() string {
	var done []Mark
	for m := range Marks {
		if s[m] > 0 {
			done = append(done, m)
		}
	}
	slices.SortStableFunc(done, func(a, b Mark) int { return cmp.Compare(s[a], s[b]) })
	texts := make([]string, len(done))
	for i, m := range done {
		texts[i] = fmt.Sprintf("%v %.1f ms", m, float64(s[m])/1000)
	}
	return strings.Join(texts, ", ")
}
