package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"ldirectord/internal/runfile"
)

// rollState is the content of the file that roll --state names. It records how far a roll has come, so that the same
// command can continue it.
type rollState struct {
	path string   // "" without --state: nothing is kept
	held *os.File // the file as last written, with a lock

	Words []string `json:"words"`          // the file, the servers, --, and the command
	Done  []string `json:"done,omitempty"` // the servers that have been rolled
	At    string   `json:"at"`             // the server that is being rolled, or that failed
}

// openRoll reads the state of the roll with these words. If the roll is new, the state is empty. Until close, no other
// roll can use the file.
func openRoll(path string, words []string) (s *rollState, err error) {
	s = &rollState{path: path, Words: words}
	if path == "" {
		return s, nil
	}
	if err := s.hold(); err != nil {
		return nil, err
	}
	if err := s.read(words); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// read reads the file. A new file is empty.
func (s *rollState) read(words []string) error {
	text, err := runfile.ReadFile(s.path, runfile.MaxFile)
	if err != nil || len(text) == 0 {
		return runfile.While("reading the state of the roll", err)
	}
	s.Words = nil
	switch err := json.Unmarshal(text, s); {
	case err != nil || len(s.Words) == 0:
		return fmt.Errorf("--state %s: the file was not written by roll; it is left as it is", s.path)
	case !slices.Equal(s.Words, words):
		return fmt.Errorf("--state %s: the file belongs to another roll, %q: continue that one, or remove "+
			"the file", s.path, strings.Join(s.Words, " "))
	}
	return nil
}

// left returns the servers still to be rolled and those that are done. The first one left is the server at which the
// roll stopped.
func (s *rollState) left(servers []string) (left, done []string) {
	for _, real := range servers {
		switch {
		case slices.Contains(s.Done, real):
			done = append(done, real)
		case real == s.At:
			left = slices.Insert(left, 0, real)
		default:
			left = append(left, real)
		}
	}
	return left, done
}

// begin records the next server to be rolled. It is called before that server is drained.
func (s *rollState) begin(real string) error {
	if s.path == "" {
		return nil
	}
	next := *s
	next.At = real
	text, _ := json.MarshalIndent(next, "", "  ") // strings can't fail
	if err := runfile.Replace(s.path, append(text, '\n'), 0o600); err != nil {
		return err
	}
	s.At = real
	return s.hold()
}

// hold locks the file. Because each write replaces the file, the new one must be locked again.
func (s *rollState) hold() error {
	f, err := runfile.OpenFile(s.path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return runfile.While("opening the state of the roll", err)
	}
	if err := runfile.TryLock(f); err != nil {
		f.Close()
		return fmt.Errorf("--state %s: another roll is using the file", s.path)
	}
	s.close()
	s.held = f
	return nil
}

// end removes the file once all servers have been rolled.
func (s *rollState) end() error {
	if s.path == "" {
		return nil
	}
	return runfile.While("removing the state of the roll", runfile.Remove(s.path))
}

// close lets other rolls use the file.
func (s *rollState) close() { s.held.Close() } // nil without a file
