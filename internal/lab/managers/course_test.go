package managers

import (
	"strings"
	"testing"
	"time"
)

const (
	eventTime   = 2 * time.Minute  // for one take-over to be over
	messageTime = 30 * time.Second // after which one that heartbeat was to make is not to come any more
)

// course is a cluster that runs its directors in one way, and what clients saw of it.
type course struct {
	*cluster
	t      *testing.T
	way    string
	client *meter
	result *gaps
	limit  time.Duration // of a gap; 0 is none
}

// plays returns what plays a course in each way.
func (c *cluster) plays(t *testing.T, client *meter, result *gaps, play func(*course)) func(way string) {
	return func(way string) {
		t.Run(way, func(t *testing.T) {
			play(&course{cluster: c, t: t, way: way, client: client, result: result})
		})
	}
}

// begin waits until a director serves.
func (o *course) begin() (active, other *machine) {
	o.t.Helper()
	await(o.t, eventTime, "address anywhere", func() bool { return o.d1.hasAddress() || o.d2.hasAddress() })
	active, other = o.d1, o.d2
	if other.hasAddress() {
		active, other = other, active
	}
	o.serves(active, other)
	o.settle()
	o.checkExposure(active, other)
	return active, other
}

// moves has the address go to a director, and measures. It reports whether it went.
func (o *course) moves(event string, to, from *machine, happen func()) bool {
	o.t.Helper()
	begun, exposure, role := time.Now(), o.watch(), from.role()
	happen()
	lost := false
	await(o.t, eventTime, "address on "+to.name, func() bool {
		lost = time.Since(begun) > messageTime && (to.lostMessage() || from.alive && from.lostMessage())
		return lost || to.hasAddress()
	})
	if lost {
		exposure.end()
		o.result.late = append(o.result.late, event+": heartbeat lost a message of its own")
		return false
	}
	o.settle()
	gap, exposed := o.client.gap(begun), exposure.end()
	o.t.Logf("%s: a gap of %.1f s, %.1f s of it with the address and without the table", event, gap.Seconds(),
		exposed.Seconds())
	if from.alive && role != "" && from.ignores(role) {
		o.result.late = append(o.result.late, event+": keepalived ended its script before that had begun")
		return false
	}
	o.result.add(o.way, event, gap, exposed, o.limit)
	o.serves(to, from)
	return true
}

// serves checks that one director has the whole table and the other one, unless it is dead, none.
func (o *course) serves(to, from *machine) {
	o.t.Helper()
	await(o.t, eventTime, "table on "+to.name, func() bool {
		table := to.table()
		return table == wholeTable || o.way == hot && strings.HasPrefix(table, wholeTable)
	})
	if from.alive && o.way != hot {
		await(o.t, eventTime, "empty table on "+from.name, func() bool { return from.table() == "" })
	}
}

// settle waits until every request of a second was answered.
func (o *course) settle() {
	o.t.Helper()
	await(o.t, eventTime, "answers for a second on end", func() bool { return o.client.steady(time.Second) })
}
