package managers

import (
	"strings"
	"testing"
	"time"
)

// Limits of issue and lab: for all of a take-over by keepalived.
const (
	coldGap    = 6 * time.Second
	standbyGap = 4 * time.Second
	hotExcess  = time.Second // over a table that is in place on both directors
	eventTime  = time.Minute // for one take-over to be over
)

// vrrp is keepalived with ldirectord in one of the ways of docs/managers.md.
type vrrp struct {
	name   string
	file   string              // of examples/keepalived
	edit   func(string) string // nil: as it is
	before string              // run on each director before keepalived
	limit  time.Duration       // of a gap; 0 for none
}

// without removes the lines that begin with a word.
func without(word string) func(string) string {
	return func(text string) string {
		var kept strings.Builder
		for line := range strings.Lines(text) {
			if !strings.HasPrefix(strings.TrimSpace(line), word) {
				kept.WriteString(line)
			}
		}
		return kept.String()
	}
}

func TestManagerKeepalived(t *testing.T) {
	c := newCluster(t, "/var/log/keepalived.log", "/var/log/ldirectord.log")
	client := newMeter(t)
	ways := []vrrp{
		{name: "hot", file: "standby.conf", edit: without("notify"), before: "ldirectord ldirectord.cf start"},
		{name: "standby", file: "standby.conf", before: "ldirectord ldirectord.cf standby", limit: standbyGap},
		{name: "cold", file: "cold.conf", limit: coldGap},
	}
	result := newGaps("stopped", "takes back", "dead")
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) { c.takeOvers(t, way, client, result) })
	}
	t.Logf("\n%s", result)
	for _, way := range ways {
		for _, event := range result.events {
			if took := result.of(way.name, event); way.limit > 0 && (took > way.limit || took > result.of("hot", event)+hotExcess) {
				t.Errorf("%s, %s: a gap of %v", way.name, event, took)
			}
		}
	}
}

// takeOvers has the address go from one director to the other by all events.
func (c *cluster) takeOvers(t *testing.T, way vrrp, client *meter, result *gaps) {
	c.both(func(m *machine) { m.startKeepalived(t, way) })
	defer c.both((*machine).reset)
	c.active(t, way, c.d1, c.d2)
	c.settles(client, eventTime)

	event := func(name string, happen func(), to, from *machine) {
		begun := time.Now()
		happen()
		await(t, eventTime, "address on "+to.name, to.hasAddress)
		c.settles(client, eventTime)
		result.add(way.name, name, client.gap(begun))
		c.active(t, way, to, from)
	}
	event("stopped", c.d1.stopKeepalived, c.d2, c.d1)
	event("takes back", func() { c.d1.startKeepalived(t, way) }, c.d1, c.d2)
	long := c.connect(t)
	event("dead", c.d1.die, c.d2, nil)
	if err := long.goesOn(eventTime); err != nil {
		t.Errorf("a connection from before the take-over: %v", err)
	}
}

// active checks that one director has the address and serves, and the other one neither.
func (c *cluster) active(t *testing.T, way vrrp, to, from *machine) {
	t.Helper()
	await(t, eventTime, "address on "+to.name, to.hasAddress)
	await(t, eventTime, "table on "+to.name, func() bool { return to.table() == wholeTable })
	if from == nil || way.name == "hot" {
		return
	}
	await(t, eventTime, "empty table on "+from.name, func() bool { return from.table() == "" })
	_, status := from.run("ldirectord", "ldirectord.cf", "status")
	if want := map[bool]int{true: 0, false: 3}[strings.Contains(way.before, "standby")]; status != want {
		t.Errorf("the director on %s has status %d, want %d", from.name, status, want)
	}
}

func (m *machine) startKeepalived(t *testing.T, way vrrp) {
	m.t.Helper()
	text := example(t, "keepalived/"+way.file)
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

// stopKeepalived stops it in order, and returns when it has ended.
func (m *machine) stopKeepalived() {
	m.t.Helper()
	m.sh("pkill -TERM -o -x keepalived; while pgrep -x keepalived >/dev/null; do sleep 0.05; done")
}

// reset ends everything and boots the machine.
func (m *machine) reset() {
	m.t.Helper()
	m.die()
	m.revive()
}

func (m *machine) hasAddress() bool {
	return m.holds("ip -o addr show dev eth0 | grep -q " + virtualAddress)
}
