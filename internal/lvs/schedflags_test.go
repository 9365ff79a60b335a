package lvs

import (
	"testing"

	"ldirectord/internal/testkit"
)

// Each case was tried on ipvsadm 1.31.
func TestSchedFlagsAreReadAsIpvsadmReadsThem(t *testing.T) {
	for _, c := range []struct {
		scheduler, list string
		want            Flags
	}{
		{"sh", "sh-fallback,sh-port", Sched1 | Sched2},
		{"mh", "mh-port,mh-fallback", Sched1 | Sched2},
		{"mh", "mh-port", Sched2},
		{"wrr", "flag-1,flag-3", Sched1 | Sched3},
		{"sh", "flag-2", Sched2},
		{"sh", "", 0},
		{"sh", "sh-port,", Sched2},
		{"sh", ",sh-port,,sh-port", Sched2},
	} {
		testkit.Equal(t, testkit.Must(ParseSchedFlags(c.scheduler, c.list))(t), c.want, c.scheduler, c.list)
	}
}

func TestSchedFlagsOfNoUseAreRefused(t *testing.T) {
	for _, c := range []struct{ scheduler, list, want string }{
		{"wrr", "sh-port", `"sh-port" is for scheduler sh, not wrr`},
		{"mh", "mh-port,sh-port", `"sh-port" is for scheduler sh, not mh`},
		{"sh", "SH-PORT", `unknown scheduler flag "SH-PORT"; allowed are sh-fallback, flag-1, sh-port, ` +
			`flag-2, flag-3`},
		{"rr", "nope", `allowed are flag-1, flag-2, flag-3`},
		{"sh", "sh-port, sh-fallback", `unknown scheduler flag " sh-fallback"`},
	} {
		_, err := ParseSchedFlags(c.scheduler, c.list)
		testkit.FailsWith(t, err, c.want, c.scheduler, c.list)
	}
}
