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
