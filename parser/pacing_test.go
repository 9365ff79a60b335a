package parser

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// Backups begin to serve below the first number of servers, and end at the second one.
func TestBackupBelow(t *testing.T) {
	for line, want := range map[string]string{"": "1 1", "backupbelow=2/3": "2 3", "backupbelow=50%": "2 2"} {
		low, high := mustParse(t, line+"\nvirtual=192.0.2.1:80\n").Virtuals[0].BackupBelow.Of(4)
		testkit.Equal(t, fmt.Sprint(low, " ", high), want, line)
	}
}

// A name that has the same address as another server today is a warning, not an error: the daemon still starts.
func TestABackupByName(t *testing.T) {
	for _, pair := range [][2]string{{"b.example:80", "192.0.2.2:80"}, {"192.0.2.2:80", "b.example:80"}} {
		src := "virtual=192.0.2.1:80\n\treal=" + pair[0] + " gate\n\tbackup=" + pair[1] + " gate\n"
		_, found := Parse(t.Context(), "", []byte(src),
			Options{Resolver: answers{"b.example": {netip.MustParseAddr("192.0.2.2")}}})
		if found.HasErrors() || len(found) == 0 {
			t.Errorf("%v: %v", pair, found)
		}
	}
}

// The section's directives about weights apply to its own check. A line of alsocheck has its own percentage.
func TestWeightsAreToldToTheOwnCheck(t *testing.T) {
	v := mustParse(t, "virtual=192.0.2.1:80\n\treal=192.0.2.2:80 gate 9\n\tdrainstatus=503\n\tagentport=81\n"+
		"\tagentsend=\"a\\r\\n\\x00\"\n"+
		"\talsocheck=http 81 weight=7%\n\talsocheck=connect 82\n").Virtuals[0]
	if v.AgentPort != 81 || v.AgentSend != "a\r\n\x00" || fmt.Sprint(v.DrainStatus) != "503" {
		t.Errorf("the section: %+v", v.Tells)
	}
	for i, check := range v.Checks()[1:] {
		if check.AgentPort != 0 || check.AgentSend != "" || check.ExternalWeight || check.DrainStatus != "" {
			t.Errorf("check %d: %+v", i+1, check.Tells)
		}
	}
	if a := v.AlsoChecks; a[0].Weight != 7 || a[1].Weight != 0 || a[0].Port != 81 {
		t.Errorf("%+v", a)
	}
}

// With a scheduler for which it makes no sense, a global slowstart has no effect. One of the section is refused, or
// gets a warning.
func TestSlowstartByScheduler(t *testing.T) {
	for _, s := range schedulers {
		src := "virtual=192.0.2.1:80\n\treal=192.0.2.2:80 gate 9\n\tscheduler=" + s + "\n"
		globally := mustParse(t, "slowstart=60\n"+src).Virtuals[0].SlowStart
		cfg, found := Parse(t.Context(), "", []byte(src+"\tslowstart=60\n"), Options{})
		locally := map[bool]string{true: "refused", false: "warned"}[found.HasErrors()]
		if len(found) == 0 {
			locally = "good"
		}
		want, left := "good", time.Minute
		switch s {
		case "sh", "mh", "dh", "fo":
			want, left = "refused", 0
		case "rr", "lc", "ovf":
			want, left = "warned", 0
		}
		if locally != want || globally != left {
			t.Errorf("%s: %s, globally %v: %v", s, locally, globally, found)
		}
		if want == "warned" && cfg.Virtuals[0].SlowStart != time.Minute {
			t.Errorf("%s: the section's own does not count", s)
		}
		for _, zero := range []string{"drainstatus=503", "backup=192.0.2.3:80 gate 9"} {
			_, found := Parse(t.Context(), "", []byte(src+"\t"+zero+"\n"), Options{})
			if refused := strings.HasPrefix(zero, "backup") &&
				(s == "sh" || s == "mh"); found.HasErrors() != refused {
				t.Errorf("%s with %s: %v", zero, s, found)
			}
		}
	}
}

// The example for databases has no findings, and its comments are right.
func TestExampleOfDatabases(t *testing.T) {
	src := testkit.Must(os.ReadFile("../examples/postgresql.cf"))(t)
	cfg, found := Parse(t.Context(), "postgresql.cf", src, Options{})
	if len(found) > 0 {
		t.Fatal(found)
	}
	reads := cfg.Virtuals[1]
	backup := reads.Reals[3]
	request, receive := reads.Asks(&backup)
	if !backup.Backup || request != "/SELECT 1" || receive != "" {
		t.Errorf("the backup is %+v, asked for %s, expects %q", backup, request, receive)
	}
	if a := reads.AlsoChecks; len(a) != 1 || a[0].Weight != 25 || reads.SlowStart != time.Minute ||
		reads.Pace.String() != "1/10s" ||
		reads.BackupBelow.String() != "1/2" || reads.HoldDown.Most != 5*time.Minute {
		t.Errorf("reads: %+v, %+v", a, reads.Policy)
	}
	if writes := cfg.Virtuals[0]; writes.Quiescent || len(writes.Reals) != 3 ||
		!strings.Contains(writes.Request, "NOT pg_is_in_recovery()") {
		t.Errorf("writes: %+v", writes)
	}
}
