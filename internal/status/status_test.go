package status

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/wire"
	"ldirectord/internal/core"
	"ldirectord/internal/director"
	"ldirectord/internal/lvs"
	"ldirectord/internal/maintenance"
	"ldirectord/internal/notify"
	"ldirectord/internal/orders"
	"ldirectord/internal/plan"
	"ldirectord/internal/testkit"
	"ldirectord/internal/testkit/plans"
	"ldirectord/internal/view"
	"ldirectord/ipvsctl"
	"ldirectord/parser"
)

const testdata = "../../testdata/status/"

// checkFunc is a checker.
type checkFunc func(context.Context) checker.Result

func (f checkFunc) Check(ctx context.Context) checker.Result { return f(ctx) }

// answer is the result for a server of ld.cf. It takes a different time for each server, so that results always come
// in the same order.
func answer(spec checker.Spec) checkFunc {
	return func(ctx context.Context) checker.Result {
		last := spec.Target.Addr().As16()[15]
		time.Sleep(time.Duration(last)*time.Millisecond/10 + time.Duration(spec.Target.Port())*time.Microsecond)
		switch {
		case spec.Target.Port() == 25:
			return checker.Result{
				OK: true, Detail: "220 mail", Warning: "the certificate expires in 5 days",
				CertEnd: testkit.Time("2000-01-06T00:00:00Z").Unix(),
				Stages: wire.Stages{wire.MarkConnect: 1000, wire.MarkFirstByte: 3000,
					wire.MarkSent: 3500, wire.MarkAnswer: 4000, wire.MarkMatch: 4000},
			}
		case last == 22:
			return checker.Result{Cause: checker.Answer,
				Detail: `body does not match "ready": got "<h1>starting up, please come back in a ` +
					`minute or two</h1>\x1b[31m"`}
		case last == 27 || last == 28:
			if time.Now().Minute() < 5 {
				return checker.Result{OK: true, Detail: "connected", CertEnd: time.Now().Unix()}
			}
			return checker.Result{Cause: checker.Answer, Stage: wire.AtMatch, Detail: "status 500"}
		case last == 26:
			return checker.Result{Cause: checker.Unjudged,
				Detail: "cannot be judged: matching took too long with /(?=x)(a+)+$/"}
		case last == 25: // without an answer
			<-ctx.Done()
			return checker.Result{Cause: checker.Shortage}
		default:
			return checker.Result{OK: true, Detail: "connected"}
		}
	}
}

// refusing is a table that refuses changes of one virtual service.
type refusing struct{ *ipvsctl.Memory }

func (r refusing) Do(ctx context.Context, ops ...lvs.Op) (results []error) {
	for _, op := range ops {
		if op.Key.Addr == netip.MustParseAddrPort("192.0.2.12:25") {
			results = append(results,
				&ipvsctl.OpError{Op: op.String(), Err: errors.New("no such file or directory"),
					Hint: "the kernel lacks module ip_vs_wrr"})
		} else {
			results = append(results, r.Memory.Do(ctx, op)...)
		}
	}
	return results
}

// Read has counters for two servers of one virtual service. One of them never had a connection.
func (r refusing) Read(ctx context.Context) (lvs.Table, error) {
	table, err := r.Memory.Read(ctx)
	key := lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddrPort("192.0.2.10:80")}
	if service, in := table[key]; in {
		service.Counters = map[netip.AddrPort]lvs.Counters{
			netip.MustParseAddrPort("192.0.2.21:80"): {Active: 120, Inactive: 30, Persistent: 4,
				Traffic: lvs.Traffic{
					Connections: 1 << 33, PacketsIn: 9_000_000_001, PacketsOut: 7_000_000_002,
					BytesIn: 5_000_000_000_003, BytesOut: 4,
				}},
			netip.MustParseAddrPort("192.0.2.24:80"): {},
		}
		table[key] = service
	}
	return table, err
}

// observed is what a director knows after ten minutes of fake time with testdata/status/ld.cf.
func observed(t *testing.T) (now *view.Snapshot) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "maint")
	testkit.OK(t, os.Mkdir(dir, 0o700))
	testkit.Write(t, filepath.Join(dir, "192.0.2.23"), "new disk\n")
	source := testkit.Must(os.ReadFile(testdata + "ld.cf"))(t)
	source = bytes.ReplaceAll(source, []byte("MAINTENANCE"), []byte(dir))
	synctest.Test(t, func(t *testing.T) {
		journal := notify.NewJournal()
		d := director.New(director.Deps{
			Table: refusing{ipvsctl.NewMemory(nil)}, Maintenance: maintenance.New(nil).Watch,
			World: core.World{
				Tell: []core.Receiver{core.Words(journal.Emit)},
				Orders: orders.All{{Virtual: "tcp:192.0.2.10:80",
					Real: "192.0.2.24:80"}: {Kind: orders.Drain}},
			},
		})
		ctx, stop := running(t, d, source)
		testkit.OK(t, d.Looked(ctx, []view.Condition{
			{Kind: "server-card", Trouble: Broken, Text: "the network interface eth1 is not up, " +
				"so servers can't be reached through it; to fix it: ip link set eth1 up"},
			{Kind: "conntrack-full", Trouble: Doubt, Text: "conntrack has 250000 connections " +
				"of at most 262144; when it is full, packets of new connections are dropped; " +
				"to fix it: sysctl -w net.netfilter.nf_conntrack_max=524288"},
		}))
		time.Sleep(10 * time.Minute)
		now = testkit.Must(d.Snapshot(ctx))(t)
		stop()
		testkit.OK(t, journal.Close(context.Background()))
		time.Sleep(time.Minute) // so that look-ups of names have ended
	})
	return now
}

// running is a director with a configuration. The returned function ends it.
func running(t *testing.T, d *director.Director, source []byte) (ctx context.Context, stop func()) {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	p, ended := planOf(t, source), make(chan error, 1)
	go func() { ended <- d.Run(ctx, p) }()
	return ctx, func() {
		end()
		testkit.OK(t, <-ended)
	}
}

func planOf(t testing.TB, source []byte) *plan.Plan {
	t.Helper()
	return plans.Of(t, string(source), parser.Options{},
		func(s checker.Spec) (checker.Checker, error) { return answer(s), nil })
}

// process is a daemon that started when the fake time did.
func process() Process {
	began := testkit.Time("2000-01-01T00:00:00Z")
	return Process{Events: map[string]uint64{"mail-failed": 0, "hook-failed": 2}, Report: Report{
		Config: "/etc/ha.d/ld.cf", Pid: 4711, Version: `1.2 "beta"`, Started: began,
		Reloads: Reloads{Succeeded: 2, Refused: 1, Last: began.Add(4 * time.Minute),
			Error: `/etc/ha.d/ld.cf:3:1: unknown directive "virtuel"`},
	}}
}

// carrying is what observed returns, with connections.
func carrying(t *testing.T) *view.Snapshot {
	now := observed(t)
	for v, s := range now.Each() {
		switch lvs.At(v.ID, s.Real) {
		case lvs.At("tcp:192.0.2.10:80", "192.0.2.21:80"):
			s.Connections = &lvs.Counters{Active: 120, Inactive: 30, Persistent: 4}
		case lvs.At("tcp:192.0.2.10:80", "192.0.2.24:80"):
			s.Connections = &lvs.Counters{Active: 1}
		}
	}
	return now
}

func TestTheThreeFormsOfAReport(t *testing.T) {
	now := carrying(t)
	report := NewReport(now, process())
	form := shown(t, report)
	golden(t, "text", form)
	for line := range strings.Lines(form) {
		if len(line) > width+1 {
			t.Errorf("%d columns: %s", len(line)-1, line)
		}
	}
	golden(t, "json", string(testkit.Must(json.MarshalIndent(report, "", "  "))(t))+"\n")
	golden(t, "metrics", metricsOf(t, now))
}

// Small metrics, for big tables, have all that shows which servers are up or need attention, and all that the alert
// rules for this use.
func TestSmallMetrics(t *testing.T) {
	now := observed(t)
	full := metricsOf(t, now)
	now.Small = true
	small := metricsOf(t, now)
	for _, row := range testkit.Table(t, testdata+"small.txt", 2) {
		line := "\nldirectord_" + row[0]
		testkit.Equal(t, strings.Contains(small, line), row[1] == "small", row[0], "in small")
		testkit.Equal(t, strings.Contains(full, line), true, row[0], "in full")
	}
}

func metricsOf(t *testing.T, now *view.Snapshot) string {
	t.Helper()
	var form strings.Builder
	p := process()
	p.Failures = []Failure{{Event: "webhook-failed"}}
	testkit.OK(t, WriteMetrics(&form, now, p))
	return strings.ReplaceAll(form.String(), runtime.Version(), "go1.26")
}

// inUTC has local times in UTC until the test ends.
func inUTC(t *testing.T) {
	zone := time.Local
	t.Cleanup(func() { time.Local = zone })
	time.Local = time.UTC
}

// forms compares with a file what a report says to people and to programs, and the metrics of its virtual services.
func forms(t *testing.T, name string, now *view.Snapshot, p Process) {
	t.Helper()
	report := NewReport(now, p)
	golden(t, name, fmt.Sprintf("%s%s\n%s\n", shown(t, report),
		testkit.Must(json.MarshalIndent(report, "", "  "))(t),
		strings.Join(ofVirtuals.FindAllString(metricsOf(t, now), -1), "\n")))
}

var ofVirtuals = regexp.MustCompile(`(?m)^ldirectord_(server|virtual)_.*`)

// shown is a report as people read it.
func shown(t *testing.T, r *Report) string {
	t.Helper()
	var form strings.Builder
	testkit.OK(t, r.WriteText(&form))
	return form.String()
}

// object is a value as programs read it.
func object(t *testing.T, v any) string { return string(testkit.Must(json.Marshal(v))(t)) }

// reads are the numbers of reads of the table. They may differ by one, because two timers end at the same time.
var reads = regexp.MustCompile(`(operation="read"} |"read": {\s+"done": )[1-9][0-9]*`)

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := testdata + name
	testkit.Golden(t, file, reads.ReplaceAllString(got, "${1}640"))
	if strings.Contains(got, "s3cret") {
		t.Errorf("%s shows a password", file)
	}
}

// A command reads a report as the daemon wrote it.
func TestAReportIsReadAsItWasWritten(t *testing.T) {
	report := NewReport(carrying(t), process())
	text := object(t, report)
	testkit.Equal(t, object(t, testkit.Must(ReadReport([]byte(text)))(t)), text)
	for what, other := range map[string]*strings.Replacer{
		"the clock was set": strings.NewReplacer(`"started":"2000`, `"started":"1970`,
			`"last":"2000`, `"last":"1970`, `"down","since":"2000`, `"down","since":"1970`,
			`"lvs1","since":"2000`, `"lvs1","since":"1970`),
		"a former version": strings.NewReplacer(`"up_seconds":600,`, "", `"last_seconds_ago":360,`, ""),
	} {
		got := testkit.Must(ReadReport([]byte(other.Replace(text))))(t)
		testkit.Equal(t, shown(t, got), shown(t, report), what)
	}
	for _, bad := range []string{"", "no JSON", "{}", `{"running":true,"time":"2000-01-01T00:00:00Z"}`} {
		if _, err := ReadReport([]byte(bad)); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

// Readers share a snapshot: a report of a copy leaves the original as it was.
func TestAReportOfACopy(t *testing.T) {
	at, spare := time.Unix(1e9, 0), make([]view.Condition, 2)
	now := &view.Snapshot{Time: at, Virtuals: []view.Virtual{{ID: "fwm:3", Leaving: []view.Departure{{Real: "b"}},
		Servers:  []view.Server{{Real: "a", Checks: []view.Check{{Checked: at}}, Conditions: spare[:1]}},
		Fallback: &view.Fallback{Checked: at}, AlsoFallbacks: []*view.Fallback{{Checked: at}}}}}
	was := testkit.Must(json.Marshal([]any{now.Virtuals, spare}))(t)
	one := now.Clone()
	one.Await(orders.All{lvs.At("fwm:3", "a"): {Kind: orders.Maint, From: at.Add(time.Hour)}})
	NewReport(one, process())
	testkit.Equal(t, string(testkit.Must(json.Marshal([]any{now.Virtuals, spare}))(t)), string(was))
}

// Servers that are held by keepserving and those that are held by the brake of checkvip are in the same gauge, for
// one alert. An address is on its announce device, on the device of last resort, or on none.
func TestMetricsOfASnapshot(t *testing.T) {
	held := view.ServerResult{Withheld: true}
	braked := []view.Server{{Real: "a", ServerResult: held}, {Real: "b", ServerResult: held}, {Real: "c"}}
	twice := []view.Server{braked[2], braked[2]}
	at := func(state, on string) view.Announcement {
		return view.Announcement{Address: state, State: state, Device: "lvs0", On: on}
	}
	foreign := at("withdrawn", "")
	foreign.Address, foreign.Foreign, foreign.Up = "foreign", "lvs0", true
	down := foreign
	down.Address, down.Up = "on a device that is down", false
	shows := shown(t, NewReport(&view.Snapshot{Announcements: []view.Announcement{foreign}}, process()))
	testkit.Contains(t, strings.Join(strings.Fields(shows), " "), "foreign foreign lvs0")
	got := metricsOf(t, &view.Snapshot{
		Virtuals: []view.Virtual{
			{ID: "brake", Servers: braked}, {ID: "both", Servers: braked,
				Guard: view.Guard{Keeps: 1, Held: 1}},
			{ID: "twice", Servers: twice}, {ID: "a\\\"\nb", Servers: twice},
		},
		Announcements: []view.Announcement{at("announced", "lvs0"), at("last resort", "lvs1"),
			at("withdrawn", ""), foreign, down},
	})
	for _, row := range testkit.Table(t, testdata+"series.txt", 1) {
		testkit.Contains(t, got, testkit.Must(strconv.Unquote(row[0]))(t))
	}
}

// brokenPipe is a client that has closed its connection.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestAClientThatHasGoneIsAnError(t *testing.T) {
	now := observed(t)
	if err := WriteMetrics(brokenPipe{}, now, process()); err == nil {
		t.Error("metrics: no error")
	}
	if err := NewReport(now, process()).WriteText(brokenPipe{}); err == nil {
		t.Error("text: no error")
	}
}

// paged is what is written on a page.
func paged(write func(page)) string {
	var b strings.Builder
	p := page{bufio.NewWriter(&b)}
	write(p)
	p.w.Flush()
	return b.String()
}

// Text from servers and from files of maintenancedir is printable.
func TestARemarkIsPrintable(t *testing.T) {
	got := paged(func(p page) { p.remarks(2, "größe\n\u009b31m \u202eb\xff") })
	testkit.Equal(t, got, "  größe "+`31m \u202eb\xff`+"\n")
}

func TestARemarkThatFitsIsOneLine(t *testing.T) {
	for length, lines := range map[int]int{width: 1, width + 1: 2} {
		got := paged(func(p page) { p.remarks(4, "x "+strings.Repeat("y", length-6)) })
		testkit.Equal(t, strings.Count(got, "\n"), lines, "lines of", length, "characters")
	}
}

func TestANameThatFitsItsColumnHasNoLineOfItsOwn(t *testing.T) {
	for length, lines := range map[int]int{21: 1, 22: 2} {
		row := &Row{Server: &Server{Real: strings.Repeat("x", length), State: "up"}, Weight: -1, Active: -1}
		got := paged(func(p page) { p.server(row, time.Time{}) })
		testkit.Equal(t, strings.Count(got, "\n"), lines, "lines with a name of", length)
	}
}

// Checks are reported as late from a second on. A table without lines has no head.
func TestWhatADaemonIsRemarkedOn(t *testing.T) {
	now := time.Unix(1e9, 0)
	for overdue, late := range map[float64]bool{0.99: false, 1: true} {
		r := Report{Time: now, Started: now, Reloads: Reloads{Last: now}, Table: Table{},
			Checks: &Checks{Overdue: overdue}}
		text := shown(t, &r)
		if strings.Contains(text, "checks are late by 1s") != late || strings.Contains(text, "REAL SERVER") ||
			strings.Contains(text, "0 ") && strings.Contains(text, "failed by") {
			t.Errorf("%g s:\n%s", overdue, text)
		}
	}
}

// A maintenance folder that can't be read is a remark. Of a long message of a mail program or a command there is one
// line: all of it is in the log. The last events are at the end, with the day if it is another one.
func TestWhatHappenedIsShown(t *testing.T) {
	inUTC(t)
	at, p := testkit.Time("2000-01-03T12:00:00Z"), process()
	long := "exit status 1: " + strings.Repeat("words ", 90)
	p.Failures = []Failure{
		{Event: "mail-failed", At: at,
			Text: "failed to send email message to root by sendmail: /usr/sbin/sendmail: " + long},
		{Event: "hook-failed", At: at, Text: "Command failed: tell tcp:192.0.2.1:80 available 1 2: " + long},
	}
	p.Last = []Failure{{Text: "the table was emptied", At: at.Add(-48 * time.Hour), More: 2},
		{Text: "today", At: at}}
	now := &view.Snapshot{Time: at, Folder: "open /srv/maintenance: permission denied"}
	golden(t, "happened", shown(t, NewReport(now, p)))
}

func TestDurationsAreShort(t *testing.T) {
	for _, row := range testkit.Table(t, testdata+"durations.txt", 3) {
		d := testkit.Must(time.ParseDuration(row[1]))(t)
		got := map[string]string{"for": Short(d), "took": brief(d.Seconds())}[row[0]]
		testkit.Equal(t, got, row[2], row[0], d)
	}
}
