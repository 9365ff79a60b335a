package parser

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// The directives for moving weights are global or of a section. The section's own lines win.
func TestMovingWeights(t *testing.T) {
	for _, row := range []struct{ global, section, want string }{
		{"", "", "slow 0s, pace 0/0s 0/0s, hold 0s up to 0s, backups below 1/1"},
		{"slowstart=60", "", "slow 1m0s, pace 0/0s 0/0s, hold 0s up to 0s, backups below 1/1"},
		{"slowstart=60", "slowstart=0", "slow 0s, pace 0/0s 0/0s, hold 0s up to 0s, backups below 1/1"},
		{"slowstart=0.1", "slowstart=500ms", "slow 500ms, pace 0/0s 0/0s, hold 0s up to 0s, backups below 1/1"},
		{"pace=1/10", "paceout = 25% / 2m", "slow 0s, pace 1/10s 1/2m0s, hold 0s up to 0s, backups below 1/1"},
		{"pace=3/10\npaceout=2/1", "pace=0", "slow 0s, pace 0/0s 2/1s, hold 0s up to 0s, backups below 1/1"},
		{"pace=51%/10", "", "slow 0s, pace 3/10s 0/0s, hold 0s up to 0s, backups below 1/1"},
		{"holddown=30", "", "slow 0s, pace 0/0s 0/0s, hold 30s up to 4m0s, backups below 1/1"},
		{"holddown=30", "holddown=0.5 , 500ms",
			"slow 0s, pace 0/0s 0/0s, hold 500ms up to 500ms, backups below 1/1"},
		{"holddown=30,5m", "holddown=0", "slow 0s, pace 0/0s 0/0s, hold 0s up to 0s, backups below 1/1"},
		{"holddown=5m", "holddown=5m,6m", "slow 0s, pace 0/0s 0/0s, hold 5m0s up to 6m0s, backups below 1/1"},
		{"holddown=315360000", "",
			"slow 0s, pace 0/0s 0/0s, hold 87600h0m0s up to 87600h0m0s, backups below 1/1"},
		{"backupbelow=2/3", "", "slow 0s, pace 0/0s 0/0s, hold 0s up to 0s, backups below 2/3"},
		{"backupbelow=2/3", "backupbelow=50%", "slow 0s, pace 0/0s 0/0s, hold 0s up to 0s, backups below 2/2"},
	} {
		v := mustParse(t, row.global+"\nvirtual=192.0.2.1:80\n\treal=192.0.2.2->192.0.2.5:80 gate 9\n"+
			"\tbackup=192.0.2.6:80 gate 9\n\t"+row.section+"\n").Virtuals[0]
		low, high := v.BackupBelow.Of(4)
		got := fmt.Sprintf("slow %v, pace %d/%v %d/%v, hold %v up to %v, backups below %d/%d", v.SlowStart,
			v.Pace.Of(4), v.Pace.Every,
			v.PaceOut.Of(4), v.PaceOut.Every, v.HoldDown, v.HoldDownMax, low, high)
		testkit.Equal(t, got, row.want, row.global, "and", row.section)
	}
}

// The JSON of a value, read again, gives the same value.
func TestJSONOfMovingWeights(t *testing.T) {
	for _, row := range []struct{ line, want string }{
		{`slowstart=1.5m`, `{"slowstart":90}`},
		{`slowstart=0`, `{}`},
		{`pace=1/500ms`, `{"pace":"1/0.5s"}`},
		{`paceout=25%/1m`, `{"paceout":"25%/60s"}`},
		{`pace=1/315360000`, `{"pace":"1/315360000s"}`},
		{`pace=0`, `{}`},
		{`holddown=30`, `{"holddown":"30s,240s"}`},
		{`holddown=0`, `{}`},
		{`onfail=keep`, `{"onfail":"keep"}`},
		{`onfail=cut`, `{"onfail":"cut"}`},
		{`onfail=1.5m`, `{"onfail":"90s"}`},
		{`onfail=0`, `{}`},
		{`agentport=8081`, `{"agentport":8081}`},
		{`externalweight=no`, `{}`},
		{`drainstatus=503,429`, `{"drainstatus":"503,429"}`},
		{`alsocheck = http  81 "a"  "b" weight=7%`, `{"alsocheck":["http 81 \"a\"  \"b\" weight=7%"]}`},
		{`alsocheck = connect   81  weight=7% # c`, `{"alsocheck":["connect 81 weight=7%"]}`},
	} {
		bare := "virtual=192.0.2.1:80\n\treal=192.0.2.2:80 gate 9\n\tservice=http\n"
		shown := func(line string) string {
			got := firstVirtual(t, bare+"\t"+line+"\n")
			for name := range firstVirtual(t, bare) {
				delete(got, name)
			}
			text := testkit.Must(json.Marshal(got))(t)
			return string(text)
		}
		testkit.Equal(t, shown(row.line), row.want, row.line)
		name, _, _ := strings.Cut(row.line, "=")
		value := firstVirtual(t, bare+"\t"+row.line+"\n")[strings.TrimSpace(name)]
		if list, ok := value.([]any); ok {
			value = list[0]
		}
		if value != nil && shown(fmt.Sprint(name, "=", value)) != row.want {
			t.Errorf("%s is shown as %v, which is read as %s", row.line, value,
				shown(fmt.Sprint(name, "=", value)))
		}
	}
}

// Backup servers come after the other servers, wherever their lines are. In all else they are read like a real line.
func TestBackups(t *testing.T) {
	v := mustParse(t, "virtual6=[2001:db8::1]:80\n\tbackup=[2001:db8::9]:80 masq\n"+
		"\treal6=[2001:db8::2]:80 gate 3\n"+
		"\tbackup=[2001:db8::7]->[2001:db8::8]:81 masq 5 \"a\", \"b\" u:9\n"+
		"\treal6=[2001:db8::3]:80 gate 4\n").Virtuals[0]
	var got []string
	for _, r := range v.Reals {
		got = append(got, fmt.Sprint(describe(r), " ", r.Backup))
	}
	want := `[2001:db8::2]:80 gate 3 false; [2001:db8::3]:80 gate 4 false; [2001:db8::9]:80 masq 1 true; ` +
		`[2001:db8::7]:81 masq 5 "/a" "b" u:9 true; [2001:db8::8]:81 masq 5 "/a" "b" u:9 true`
	testkit.Equal(t, strings.Join(got, "; "), want)
	reals := asJSON(t, mustParse(t, "virtual=1\n\treal=192.0.2.2 gate\n"+
		"\tbackup=192.0.2.3 gate\n"))["virtuals"].([]any)[0].(object)["reals"].([]any)
	if _, shown := reals[0].(object)["backup"]; shown || reals[1].(object)["backup"] != true {
		t.Errorf("JSON: %v", reals)
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

// A backup server waits for its address like any server, and minservers and keepserving don't count it.
func TestABackupWaits(t *testing.T) {
	src := "keepserving=1\nvirtual=192.0.2.1:80\n\treal=192.0.2.2->192.0.2.3:80 gate 1\n" +
		"\tbackup=b.example:80 gate 2\n\tminservers=3\n"
	_, found := Parse(t.Context(), "", []byte(src), Options{Wait: true, Resolver: answers{}})
	if errs := found.Errors(); len(errs) != 1 ||
		!strings.Contains(errs[0].Text, "minservers = 3 needs 3 servers, but tcp:192.0.2.1:80 has only 2;") {
		t.Error(found)
	}
	src = strings.ReplaceAll(src, "minservers=3", "minservers=2")
	cfg, found := Parse(t.Context(), "", []byte(src), Options{Wait: true, Resolver: answers{}})
	if found.HasErrors() {
		t.Fatal(found)
	}
	if w := cfg.Virtuals[0].Waiting; len(w) != 1 || !w[0].Backup || w[0].Weight != 2 {
		t.Errorf("%+v", w)
	}
	if says(t, "virtual=192.0.2.1:80\n\treal=192.0.2.2:80 gate\n\tbackup=192.0.2.3:80 gate\n\tkeepserving=1\n",
		"is all servers of the section, 2") {
		t.Error("a backup counts for keepserving")
	}
	if !says(t, "virtual=192.0.2.1:80\n\treal=192.0.2.2:80 gate\n\tbackup=192.0.2.3:80 gate\n\tkeepserving=1\n",
		"is all servers of the section, 1") {
		t.Error("no word on a keepserving of all")
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

func TestPaceAsText(t *testing.T) {
	testkit.Equal(t, (lvs.Pace{Share: lvs.Share{N: 25, Percent: true}, Every: 1500 * time.Millisecond}).String(),
		"25%/1.5s")
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
		reads.BackupBelow.String() != "1/2" || reads.HoldDownMax != 5*time.Minute {
		t.Errorf("reads: %+v, %+v", a, reads.Policy)
	}
	if writes := cfg.Virtuals[0]; writes.Quiescent || len(writes.Reals) != 3 ||
		!strings.Contains(writes.Request, "NOT pg_is_in_recovery()") {
		t.Errorf("writes: %+v", writes)
	}
}
