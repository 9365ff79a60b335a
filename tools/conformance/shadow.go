package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

const shadowReport = scratch + "/shadow.json"

// shadowing is the shadow command of our program, beside the daemon of a scenario.
type shadowing struct{ cmd *exec.Cmd }

// different is what a shadow reports.
type different struct {
	Now, Differences []struct{ Virtual, Real, Live, Shadow, Reason string }
}

// beginShadow starts the shadow beside a daemon that was started with these arguments, unless one runs.
func (p *play) beginShadow(args []string) error {
	if p.Shadow == "" || p.shadow != nil || !slices.Contains(args, "start") {
		return nil
	}
	config := args[0]
	if config == "start" {
		config = "ldirectord.cf"
	}
	out, err := os.Create(scratch + "/shadow.output")
	if err != nil {
		return err
	}
	defer out.Close()
	p.shadow = &shadowing{exec.Command(p.Shadow, config, "shadow", "--report", shadowReport)}
	p.shadow.cmd.Env, p.shadow.cmd.Dir, p.shadow.cmd.Stdout, p.shadow.cmd.Stderr = p.env, "/", out, out
	return p.shadow.cmd.Start()
}

// agrees waits until the shadow has what the live table has at rest. It reads that once a second.
func (s *shadowing) agrees(limit time.Duration) error {
	time.Sleep(2500 * time.Millisecond)
	for end := time.Now().Add(limit); ; time.Sleep(200 * time.Millisecond) {
		var r different
		text, err := os.ReadFile(shadowReport)
		if err == nil {
			err = json.Unmarshal(text, &r)
		}
		if err == nil && len(r.Now) == 0 {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("the shadow has something else: %v, %v", r.Now, err)
		}
	}
}

// end ends the shadow as Ctrl-C does. It must have written nothing. It may have found lasting differences (exit status
// 1), because the Perl ldirectord runs a program for each change, which takes long in the lab.
func (s *shadowing) end() error {
	s.cmd.Process.Signal(syscall.SIGINT)
	result := finish(s.cmd, 30*time.Second)
	said, err := os.ReadFile(scratch + "/shadow.output")
	if err != nil || (result == "exit 0" || result == "exit 1") &&
		strings.Contains(string(said), "requests that write: 0\n") {
		return err
	}
	return fmt.Errorf("the shadow ended with %s: %s", result, said)
}

// known are the scenarios in which a shadow finds something else, with the reason.
func known(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	reasons := map[string]string{}
	for _, line := range splitLines(string(text)) {
		if name, reason, found := strings.Cut(line, ": "); found && line[0] != '#' {
			reasons[name] = reason
		}
	}
	return reasons, err
}
