package managers

import (
	"os"
	"strings"
	"testing"
	"time"
)

// Limits of a gap with keepalived, in all.
const (
	coldGap    = 6 * time.Second
	standbyGap = 4 * time.Second
)

// vrrp is a way of running keepalived.
type vrrp struct {
	file   string              // of examples/keepalived
	edit   func(string) string // nil: as it is
	before string              // run on each director before keepalived
	limit  time.Duration       // of a gap, in all
	passed int                 // exit status of status on the director that does not serve
}

func TestManagerKeepalived(t *testing.T) {
	c := newCluster(t, "/var/log/keepalived.log", "/var/log/ldirectord.log")
	client := newMeter(t)
	result := newGaps("stopped", "takes back", "dead")
	ways := map[string]vrrp{
		hot:         {file: "standby.conf", edit: withoutScripts, before: "ldirectord ldirectord.cf start"},
		"standby":   {file: "standby.conf", before: "ldirectord ldirectord.cf standby", limit: standbyGap},
		"cold":      {file: "cold.conf", passed: 3, limit: coldGap},
		"reference": {file: "standby.conf", edit: startAndStop, passed: 3},
	}
	run := c.plays(t, client, result, func(o *course) {
		o.limit = ways[o.way].limit
		o.keepalived(ways[o.way])
	})
	result.measure(t, "standby", run)
	if os.Getenv("LONG_TESTS") != "" { // on a slow machine the order to leave is always lost: see ignores
		result.measure(t, "cold", run)
	}
	result.compare(c, run)
	t.Logf("\n%s", result)
}

// withoutScripts has keepalived move the address and nothing else.
func withoutScripts(text string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !strings.Contains(line, "notify") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// startAndStop is for the Perl program: keepalived ends its scripts, when it ends, before that has stopped.
func startAndStop(text string) string {
	return strings.NewReplacer(
		`/usr/sbin/ldirectord ldirectord.cf notify master`,
		`/usr/bin/setsid -f /usr/sbin/ldirectord ldirectord.cf start`,
		`/usr/sbin/ldirectord ldirectord.cf notify backup`,
		`/usr/bin/setsid -f /usr/sbin/ldirectord ldirectord.cf stop`,
		`/usr/sbin/ldirectord ldirectord.cf notify fault`,
		`/usr/bin/setsid -f /usr/sbin/ldirectord ldirectord.cf stop`,
		`/usr/sbin/ldirectord ldirectord.cf notify stop`,
		`/usr/bin/setsid -f /usr/sbin/ldirectord ldirectord.cf stop`,
	).Replace(text)
}

// keepalived has the address go from one director to the other and back. A connection from before the
// death of a director continues with the other one.
func (o *course) keepalived(way vrrp) {
	o.both(func(m *machine) { m.startKeepalived(way) })
	defer o.both((*machine).reset)
	await(o.t, eventTime, "address on d1", o.d1.hasAddress)
	active, other := o.begin()

	if !o.moves("stopped", other, active, active.stopKeepalived) {
		return
	}
	await(o.t, eventTime, "status of a director that serves no more", func() bool {
		_, status := active.run("ldirectord", "ldirectord.cf", "status")
		return status == way.passed
	})
	other.stepBack()
	o.moves("takes back", active, other, func() { active.startKeepalived(way) })
	long := o.connect(o.t, other)
	o.moves("dead", other, active, active.die)
	if err := long.goesOn(eventTime); err != nil {
		o.t.Errorf("a connection from before: %v", err)
	}
}

func (m *machine) startKeepalived(way vrrp) {
	m.t.Helper()
	text := example(m.t, "keepalived/"+way.file)
	if way.edit != nil {
		text = way.edit(text)
	}
	if m.name == "d2" {
		text = strings.Replace(text, "priority 150", "priority 100", 1)
	}
	m.put("/etc/keepalived/keepalived.conf", text)
	if way.before != "" {
		m.sh("%s", way.before)
	}
	m.sh("setsid keepalived -n -l -D >>/var/log/keepalived.log 2>&1 &")
}

// role is the last order that the director has taken.
func (m *machine) role() string {
	m.t.Helper()
	said, _ := m.run("sh", "-c", "cat /run/ldirectord.*.role 2>/dev/null")
	return said
}

// ignores reports whether keepalived has ended and the order to leave never came. keepalived ends its scripts a second
// after its own end: where a program takes as long to start, the order is lost.
func (m *machine) ignores(role string) bool {
	m.t.Helper()
	for range 10 {
		if m.role() != role || !m.holds("tail -n 1 /var/log/keepalived.log 2>/dev/null | grep -q Stopped") {
			return false
		}
		time.Sleep(time.Second)
	}
	return true
}

// stopKeepalived stops it in order, and returns when it has ended.
func (m *machine) stopKeepalived() {
	m.t.Helper()
	m.sh("pkill -TERM -o -x keepalived; while pgrep -x keepalived >/dev/null; do sleep 0.05; done")
}
