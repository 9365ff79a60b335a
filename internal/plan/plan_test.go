package plan

import (
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"ldirectord/checker"
	"ldirectord/checker/protocol"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/testkit"
	"ldirectord/parser"
)

// planned makes a plan of a configuration, with the checks that build makes. The diagnostics are those of the plan.
func planned(t *testing.T, config string, build Build) (*Plan, parser.Diagnostics) {
	t.Helper()
	cfg, found := parser.Parse(t.Context(), "plan.cf", []byte(config), parser.Options{})
	if found.HasErrors() {
		t.Fatal(found)
	}
	return New(cfg, build)
}

func neverChecked(checker.Spec) (checker.Checker, error) {
	return passes{}, nil
}

// built is the checker of the program.
func built(s checker.Spec) (checker.Checker, error) { return protocol.New(s, &protocol.Env{}) }

// passes is a check that passes.
type passes struct{}

func (passes) Check(context.Context) checker.Result { return checker.Result{} }

// lines is a virtual service with one real server.
func lines(head, real string, directives ...string) string {
	return head + "\n\t" + real + "\n\t" + strings.Join(directives, "\n\t") + "\n"
}

func TestWhatAPlanPutsIntoTheTable(t *testing.T) {
	for part := range strings.SplitSeq(testkit.Read(t, "testdata/table.txt"), "\n\n") {
		name, text, _ := strings.Cut(part, "\n")
		config, want, isCase := strings.Cut(text, "\n-A ")
		if !isCase {
			continue // it describes the file
		}
		t.Run(name, func(t *testing.T) {
			p, found := planned(t, config, neverChecked)
			if len(found) > 0 {
				t.Fatal(found)
			}
			testkit.Equal(t, lvs.Format(p.Preview(nil, nil)), "-A "+strings.TrimSpace(want)+"\n")
			testkit.Equal(t, p.Services[0].Config.ID, p.Keys()[0].ID(), "the name of", p.Keys()[0])
		})
	}
}

// Orders apply to a preview too.
func TestAPreviewFollowsOrders(t *testing.T) {
	p, _ := planned(t, "virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate 5\n\treal = 10.2.0.2:80 gate 5\n"+
		"\treal = 10.2.0.3:80 gate 5\n\treal = 10.2.0.4:80 gate 5\n\tchecktype = connect\n", neverChecked)
	given := orders.All{}
	for real, o := range map[string]orders.Order{"10.2.0.1:80": {Kind: orders.Drain},
		"10.2.0.2:80": {Kind: orders.Maint}, "10.2.0.3:80": {Kind: orders.Weigh, Weight: 7}} {
		given[lvs.At("tcp:10.1.0.1:80", real)] = o
	}
	testkit.Equal(t, lvs.Format(p.Preview(given, nil)),
		"-A -t 10.1.0.1:80 -s wrr\n-a -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 0\n"+
			"-a -t 10.1.0.1:80 -r 10.2.0.3:80 -g -w 7\n-a -t 10.1.0.1:80 -r 10.2.0.4:80 -g -w 5\n")
	testkit.Equal(t, strings.Count(lvs.Format(p.Preview(nil, nil)), "-w 5\n"), 4, "after a preview")
}

// In a preview with slowstart, a server that would come into a serving section has its first weight.
func TestAPreviewOfOneThatWouldClimb(t *testing.T) {
	key := lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddrPort("10.1.0.1:80")}
	for _, row := range []struct {
		slowstart string
		in        int // how many of three servers the table has
		want      string
	}{
		{"30", 2, "40 40 1"},
		{"30", 1, "40 40 40"}, // the section is cold
		{"30", 3, "40 40 40"},
		{"0", 2, "40 40 40"},
		{"30", 4, "40 40 40"}, // the third one climbs, which only the daemon knows
	} {
		p, _ := planned(t, "virtual = 10.1.0.1:80\n\treal = 10.2.0.1->10.2.0.3:80 gate 40\n"+
			"\tchecktype = connect\n\tscheduler = wlc\n\tslowstart = "+
			row.slowstart+"\n", neverChecked)
		have := p.Preview(nil, nil)
		service := have[key]
		if row.in == 4 {
			service.Dests[2].Weight = 12
		} else {
			service.Dests = service.Dests[:row.in]
		}
		have[key] = service
		var weights []string
		for _, dest := range p.Preview(nil, have)[key].Dests {
			weights = append(weights, fmt.Sprint(dest.Weight))
		}
		testkit.Equal(t, strings.Join(weights, " "), row.want, "slowstart", row.slowstart, row.in,
			"in the table")
	}
}

// shown are the fields of a spec that are set, with commas between arguments.
func shown(s checker.Spec) string {
	var out []string
	v := reflect.ValueOf(s)
	for _, f := range reflect.VisibleFields(v.Type()) {
		if field := v.FieldByIndex(f.Index); !f.Anonymous && !field.IsZero() {
			out = append(out, fmt.Sprintf("%s=%v", f.Name, field))
		}
	}
	return strings.ReplaceAll(strings.Join(out, " "), "\x00", ",")
}

// A check has only the settings that it uses, so that virtual services share it.
func TestAPlanAsksOnlyForWhatACheckUses(t *testing.T) {
	file := strings.NewReplacer("; ", "\n\t", "ALL", "checktimeout = 3\n\tnegotiatetimeout = 4\n\tcheckcount = 2\n"+
		"\trequest = \"/x\"\n\treceive = \"ok\"\n\tlogin = \"me\"\n\tpasswd = \"pw\"\n\tvirtualhost = \"www\"")
	for _, row := range testkit.Table(t, "testdata/specs.txt", 2) {
		p, found := planned(t, file.Replace(row[0])+"\n", neverChecked)
		if found.HasErrors() {
			t.Fatal(found)
		}
		testkit.Equal(t, shown(p.ChecksOf("", "")[0].Spec), row[1], row[0])
	}
}

// Servers with equal checks share one. A check that can't be made is an error at the directive, once for all its
// servers. A doubtful one is a warning.
func TestAPlanBuildsEqualChecksOnce(t *testing.T) {
	const two = "virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\treal = 10.2.0.2:80 gate\n" +
		"\tchecktype = negotiate\n\tservice = http\n\treceive = \"ok\"\n\trequest = \"/\"\n" +
		"virtual = 10.1.0.2:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = negotiate\n\tservice = http\n" +
		"\treceive = \"ok\"\n\trequest = \"/\"\n"
	made := 0
	p, found := planned(t, two, func(s checker.Spec) (checker.Checker, error) { made++; return neverChecked(s) })
	all := p.ChecksOf("", "")
	if len(found) > 0 || made != 2 || len(p.Tasks) != 2 || all[0].Task != all[2].Task {
		t.Errorf("%d checkers, %d tasks, %v", made, len(p.Tasks), found)
	}
	p, found = planned(t, two, func(checker.Spec) (checker.Checker, error) {
		return nil, &checker.SpecError{Directive: "receive", Err: fmt.Errorf("no pattern")}
	})
	if p != nil || len(found) != 2 || found[0].Pos.Line != 6 || found[1].Pos.Line != 12 {
		t.Errorf("refused: %v", found)
	}
	nothing := "virtual = 10.1.0.1:53\n\treal = 10.2.0.1:53 gate\n\treal = 10.2.0.2:53 gate\n" +
		"\tchecktype = negotiate\n\tservice = dns\n\treceive = \"ok\"\n"
	p, found = planned(t, nothing, built)
	if p == nil || len(found) != 1 || found[0].Severity != parser.Warning || found[0].Kind != "suspicious" ||
		found[0].Pos.Line != 5 {
		t.Errorf("a check that asks nothing: %v", found)
	}
}

// Checks that differ in one setting are two checks.
func TestAPlanBuildsEachCheckThatDiffers(t *testing.T) {
	const one = "virtual = 10.1.0.%d:80\n\treal = 10.2.0.1:80 gate%s\n\tchecktype = negotiate\n\tservice = http\n" +
		"\treceive = \"ok\"\n%s"
	for _, row := range []struct{ strings, line string }{
		{`"/own", "ok"`, ""}, {"", `request = "/x"`}, {"", `receive = "x"`}, {"", `virtualhost = "x"`},
		{"", "checkport = 81"},
		{"", "checktimeout = 9"}, {"", "checkinterval = 9"}, {"", "checkvip = yes"}, {"", "service = https"},
		{"", "checktype = connect"},
	} {
		p, found := planned(t, fmt.Sprintf(one+one, 1, "", "", 2, " 1 "+row.strings, "\t"+row.line+"\n"),
			neverChecked)
		if p == nil || len(p.Tasks) != 2 {
			t.Errorf("%v: %v", row, found)
		}
	}
}
