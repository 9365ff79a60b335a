package checker

import (
	"errors"
	"fmt"
)

// Stage is how far a check got.
type Stage uint8

// The stages of a check, in their order. A check of a protocol without one of them skips it.
const (
	AtStart   Stage = iota // nobody was asked
	AtConnect              // to open a connection
	AtTLS                  // the handshake, and the server's certificate
	AtLogin                // to log in
	AtAnswer               // to read the answer
	AtMatch                // to compare the answer with receive
)

// staged is an error with the stage in which it came.
type staged struct {
	error
	stage Stage
}

func (s *staged) Unwrap() error { return s.error }

// of marks an error as one of a stage.
func (s Stage) of(err error) error {
	if err == nil {
		return nil
	}
	return &staged{err, s}
}

// mismatch is an answer that receive does not match.
func mismatch(format string, args ...any) error { return AtMatch.of(fmt.Errorf(format, args...)) }

// stageOf is the stage of an error: the first one that it was marked with, from outside.
func stageOf(err error) Stage {
	var at *staged
	if errors.As(err, &at) {
		return at.stage
	}
	return AtAnswer
}
