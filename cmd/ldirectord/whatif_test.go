package main

import (
	"fmt"
	"io"
	"path/filepath"
	"testing"

	"ldirectord/internal/testkit"
)

// plan --each plays each server with the virtual services that have it alone, though an announced address depends on
// more: otherwise a large file takes minutes.
func TestEachPlaysNoOtherServices(t *testing.T) {
	work := func(line string) float64 {
		text := ""
		for n := range 40 {
			text += fmt.Sprintf("virtual = 10.1.0.%d:80\n\treal = 10.2.0.%[1]d:80 gate\n"+
				"\tchecktype = connect\n%s", n, line)
		}
		path := filepath.Join(t.TempDir(), "ld.cf")
		testkit.Write(t, path, text)
		argv := []string{"ldirectord", "--rundir", t.TempDir(), "--ipvs", "memory", path, "plan", "--each"}
		return testing.AllocsPerRun(1, func() {
			testkit.Equal(t, runCommand(t.Context(), argv, io.Discard, io.Discard, nil), exitChanges)
		})
	}
	if plain, announced := work(""), work("\tannounce = lo\n"); announced > 6*plain {
		t.Errorf("%.0f allocations with announce, %.0f without", announced, plain)
	}
}
