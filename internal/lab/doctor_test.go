package lab

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"ldirectord/internal/testkit"
)

// fault is a fault as doctor --json prints it.
type fault struct{ Severity, Kind, Text, Command string }

// finds notes the fault of a kind that doctor finds.
func (s *scene) finds(kind string) {
	s.t.Helper()
	s.faults = s.doctor()
	i := slices.IndexFunc(s.faults, func(f fault) bool { return f.Kind == kind })
	if i < 0 {
		s.t.Fatalf("doctor finds %v, and not %s", s.faults, kind)
	}
	s.fault = s.faults[i]
}

// obey runs the command of the fault.
func (s *scene) obey() {
	s.t.Helper()
	fix := s.inside("dir", "sh", "-ec", s.fault.Command)
	path := s.dir + ":" + filepath.Dir(program(s.t)) + ":" + os.Getenv("PATH")
	fix.Env = append(os.Environ(), "PATH="+path, "P="+s.prefix)
	testkit.Run(s.t, fix)
}

// gone checks that doctor finds the fault no longer.
func (s *scene) gone() {
	s.t.Helper()
	left := s.doctor()
	for range 2 { // if the guest stood still, answers came too late
		if !slices.ContainsFunc(left, func(f fault) bool { return strings.Contains(f.Text, "(timeout)") }) {
			break
		}
		left = s.doctor()
	}
	still := slices.ContainsFunc(left, func(f fault) bool { return f.Kind == s.fault.Kind })
	if still || len(left) >= len(s.faults) {
		s.t.Errorf("doctor found %v; after %q it finds %v", s.faults, s.fault.Command, left)
	}
}

// doctor runs doctor in the director.
func (s *scene) doctor() []fault {
	s.t.Helper()
	var answer struct {
		OK          bool
		Faults      []fault
		NotLookedAt []string `json:"not_looked_at"`
	}
	out := s.output(s.path(), "doctor", "--json")
	s.tells(out)
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		s.t.Fatalf("%v\n%s", err, out)
	}
	settings := func(what string) bool { // spoilt by the case
		return strings.HasPrefix(what, "real servers at the virtual addresses")
	}
	if len(slices.DeleteFunc(answer.NotLookedAt, settings)) > 0 {
		s.t.Errorf("doctor did not look at %v", answer.NotLookedAt)
	}
	if breaking := slices.ContainsFunc(answer.Faults,
		func(f fault) bool { return f.Severity == "broken" }); answer.OK == breaking {
		s.t.Errorf("ok is %v with %v", answer.OK, answer.Faults)
	}
	return answer.Faults
}

// output is the output of a command in the director, whatever its exit status.
func (l *lab) output(args ...string) string {
	l.t.Helper()
	out, err := l.command(args...).Output()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		l.t.Fatal(err)
	}
	return string(out)
}
