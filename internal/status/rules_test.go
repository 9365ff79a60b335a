package status

import (
	"bytes"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/testkit"
	"ldirectord/internal/view"
)

const (
	examples  = "../../examples/prometheus/"
	dashboard = "../../examples/grafana/ldirectord.json"
)

// Each metric in the rules is one of a daemon, and docs/status.md has all of them.
func TestRulesAndDocsKnowTheMetrics(t *testing.T) {
	name := regexp.MustCompile(`\bldirectord_[a-z_]+`)
	var ours []string
	for _, family := range regexp.MustCompile(`(?m)^# TYPE (\S+)`).FindAllSubmatch(read(t, testdata+"metrics"),
		-1) {
		ours = append(ours, string(family[1]))
	}
	if len(ours) < 20 {
		t.Fatalf("metrics %q", ours)
	}
	for _, used := range name.FindAll(append(read(t, examples+"ldirectord.rules.yml"), read(t, dashboard)...), -1) {
		if family := bytes.TrimSuffix(used, []byte("_bucket")); !slices.Contains(ours, string(family)) {
			t.Errorf("a rule or a panel asks for %s, which there is not", used)
		}
	}
	docs := read(t, "../../docs/status.md")
	for _, family := range ours {
		if !bytes.Contains(docs, []byte("`"+family+"`")) {
			t.Errorf("docs/status.md does not name %s", family)
		}
	}
	for _, row := range regexp.MustCompile("`(ldirectord_[a-z_]+)`").FindAllSubmatch(docs, -1) {
		if !slices.Contains(ours, string(row[1])) {
			t.Errorf("docs/status.md has %s, which there is not", row[1])
		}
	}
}

func TestDocsKnowTheFields(t *testing.T) {
	docs := read(t, "../../docs/status.md")
	for _, form := range []any{Report{}, Reloads{}, Checks{}, Table{}, view.Counts{}, Virtual{}, Fallback{},
		view.Guard{}, view.Announcement{}, view.MinServers{}, Server{}, Check{}, lvs.Counters{}, lvs.Traffic{},
		view.Tally{}, view.Departure{}, orders.Entry{}, orders.Order{}, view.Check{}, Failure{}} {
		for field := range reflect.TypeOf(form).Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name != "" && name != "-" && !bytes.Contains(docs, []byte("`"+name+"`")) {
				t.Errorf("docs/status.md does not name %s of %T", name, form)
			}
		}
	}
}

func TestRealPromtoolTakesTheMetrics(t *testing.T) {
	promtool(t, read(t, testdata+"metrics"), "check", "metrics")
}

func TestRealPromtoolFindsTheRulesGood(t *testing.T) {
	promtool(t, nil, "check", "rules", examples+"ldirectord.rules.yml")
	promtool(t, nil, "check", "config", examples+"prometheus.yml")
}

func TestRealPromtoolSeesEachAlert(t *testing.T) {
	promtool(t, nil, "test", "rules", examples+"ldirectord.test.yml")
	tests := read(t, examples+"ldirectord.test.yml")
	for _, rule := range regexp.MustCompile(`- alert: (\w+)`).FindAllSubmatch(
		read(t, examples+"ldirectord.rules.yml"), -1) {
		fires := regexp.MustCompile(`alertname: ` + string(rule[1]) + `\n\s+exp_alerts:`)
		if !fires.Match(tests) {
			t.Errorf("no test sees %s", rule[1])
		}
	}
}

// promtool runs Prometheus' own tool, which must find no fault.
func promtool(t *testing.T, input []byte, args ...string) {
	t.Helper()
	ctx := testkit.Within(t, 5*time.Minute)
	cmd := exec.CommandContext(ctx, testkit.Program(t, "promtool", "prometheus"), args...)
	cmd.Stdin = bytes.NewReader(input)
	if said, err := cmd.CombinedOutput(); err != nil || bytes.Contains(said, []byte("error")) {
		t.Errorf("promtool %v: %v\n%s", args, err, said)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	return testkit.Must(os.ReadFile(file))(t)
}
