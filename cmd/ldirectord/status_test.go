package main

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// The first command waits for the second. What they say has their order.
func TestCommandsRunTogether(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), awaitLimit)
	defer cancel()
	first := exec.CommandContext(ctx, "sh", "-c", "until [ -e there ]; do sleep 0.01; done; echo one; echo why >&2")
	second := exec.CommandContext(ctx, "sh", "-c", "echo two; >there")
	first.Dir = t.TempDir()
	second.Dir = first.Dir
	var out, err strings.Builder
	o := output{stdout: &out, stderr: &err}
	o.runTogether([]*exec.Cmd{first, second})
	testkit.Equal(t, out.String()+err.String(), "one\ntwo\nwhy\n")
}

// The kernel kills a command where memory is short. Only at the limit is it one that did not answer.
func TestACommandThatIsCutOff(t *testing.T) {
	atLimit, cancelled := testkit.Within(t, 0), testkit.Ended(t)
	killed, ended := exec.Command("sh", "-c", "kill -KILL $$"), exec.Command("false")
	testkit.Fails(t, killed.Run(), "signal: killed")
	testkit.Fails(t, ended.Run(), "exit status 1")
	for ctx, want := range map[context.Context]string{t.Context(): "ended: signal: killed",
		atLimit: "did not answer within 7s", cancelled: ""} {
		testkit.Equal(t, cutOff(ctx, killed.ProcessState), want)
		testkit.Equal(t, cutOff(ctx, ended.ProcessState), "")
	}
}
