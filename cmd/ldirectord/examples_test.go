package main

import (
	"path/filepath"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// Each script of examples/tests passes with the file of its name.
func TestScriptsOfTheExamples(t *testing.T) {
	for _, script := range testkit.Files(t, "../../examples/tests/*.script") {
		file := filepath.Join("../../examples", strings.TrimSuffix(filepath.Base(script), ".script")+".cf")
		var out, errs strings.Builder
		args := []string{"ldirectord", "--rundir", t.TempDir(), file, "test", script}
		if status := runCommand(t.Context(), args, &out, &errs, nil); status != exitOK ||
			!strings.HasSuffix(out.String(), ": passed\n") {
			t.Errorf("%s: exit status %d: %s%s", script, status, out.String(), errs.String())
		}
	}
}
