package main

import (
	"fmt"
	"io"
)

// answer is where a command's answer goes. It remembers that a part of it was lost.
type answer struct {
	to   io.Writer
	lost error
}

func (a *answer) Write(text []byte) (int, error) {
	n, err := a.to.Write(text)
	if err != nil && a.lost == nil {
		a.lost = err
	}
	return n, err
}

// status is the exit status of a command that would end with code: an answer that nobody can read is a failure.
func (a *answer) status(code int, stderr io.Writer) int {
	if a.lost == nil || code != exitOK {
		return code
	}
	fmt.Fprintf(stderr, "ldirectord: writing the answer: %v\n", a.lost)
	return exitFailure
}
