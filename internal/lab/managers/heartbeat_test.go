package managers

import (
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// What heartbeat asks of a script in resource.d: the arguments of haresources, and then what to do. It
// reads the words of status.
func TestManagerHeartbeatAsksTheProgram(t *testing.T) {
	c := newCluster(t, "/var/log/ldirectord.log")
	m := c.d1
	m.linkResource()
	for _, step := range []struct {
		args   string
		status int
		said   string
	}{
		{"ldirectord.cf status", 3, "stopped"},
		{"ldirectord.cf stop", 0, ""},
		{"ldirectord.cf start", 0, ""},
		{"ldirectord.cf status", 0, "running"},
		{"ldirectord.cf start", 0, ""},
		{"second.cf status", 3, "stopped"},
		{"second.cf start", 0, ""},
		{"second.cf status", 0, "running"},
		{"ldirectord.cf stop", 0, ""},
		{"ldirectord.cf status", 3, "stopped"},
		{"second.cf status", 0, "running"},
		{"second.cf stop", 0, ""},
		{"second.cf stop", 0, ""},
	} {
		argv := append([]string{"/etc/ha.d/resource.d/ldirectord"}, strings.Fields(step.args)...)
		said, status := m.run(argv...)
		if status != step.status || !strings.Contains(said, step.said) {
			t.Errorf("%s: exit status %d, %q; want %d, %q", step.args, status, said, step.status, step.said)
		}
	}
	testkit.Equal(t, m.table(), "", "it left")
}

// The line as the Perl program's users have it, address first, with two directors in it.
func TestManagerHeartbeatMovesTwoDirectors(t *testing.T) {
	c := newCluster(t, "/var/log/ha-log", "/var/log/ldirectord.log")
	client := newMeter(t)
	c.both(func(m *machine) {
		m.startHeartbeat("d1 192.0.2.10/32/eth0 192.0.2.11/32/eth0 ldirectord::ldirectord.cf " +
			"ldirectord::second.cf\n")
	})
	defer c.both((*machine).reset)
	second := strings.ReplaceAll(wholeTable, virtualAddress, "192.0.2.11")
	served := func(m *machine) {
		t.Helper()
		await(t, eventTime, "both tables on "+m.name, func() bool {
			table := m.table()
			return strings.Contains(table, wholeTable) && strings.Contains(table, second)
		})
		await(t, eventTime, "answers for a second on end", func() bool { return client.steady(time.Second) })
	}
	served(c.d1)
	c.atRest(t)
	c.d1.sh("/usr/share/heartbeat/hb_standby")
	await(t, eventTime, "address on d2", c.d2.hasAddress)
	served(c.d2)
	await(t, eventTime, "empty table on d1", func() bool { return c.d1.table() == "" })
}

func TestManagerHeartbeat(t *testing.T) {
	c := newCluster(t, "/var/log/ha-log", "/var/log/ldirectord.log")
	client := newMeter(t)
	result := newGaps("standby", "dead")
	run := c.plays(t, client, result, (*course).heartbeat)
	result.measure(t, "heartbeat", run)
	result.compare(c, run)
	t.Logf("\n%s", result)
}

// heartbeat has the address go from one director to the other, with the resource that runs the director, or
// with directors that run by themselves.
func (o *course) heartbeat() {
	resources := example(o.t, "heartbeat/haresources")
	if o.way == hot {
		resources = strings.ReplaceAll(resources, "::ldirectord.cf", "::second.cf")
		o.both((*machine).startByHand)
	}
	o.both(func(m *machine) { m.startHeartbeat(resources) })
	defer o.both((*machine).reset)
	active, other := o.begin()
	o.atRest(o.t)
	if o.moves("standby", other, active, func() { active.sh("/usr/share/heartbeat/hb_standby") }) {
		o.atRest(o.t)
		o.moves("dead", active, other, other.die)
	}
}

func (m *machine) startHeartbeat(resources string) {
	m.t.Helper()
	m.linkResource()
	m.put("/etc/ha.d/ha.cf", example(m.t, "heartbeat/ha.cf"))
	m.put("/etc/ha.d/haresources", resources)
	m.put("/etc/ha.d/authkeys", "auth 1\n1 sha1 lab\n")
	m.sh("chmod 600 /etc/ha.d/authkeys; rm -f /var/log/ha-log; /etc/init.d/heartbeat start " +
		">/var/log/heartbeat-start.log 2>&1")
}

// atRest waits until heartbeat has ended what it does: it works on after it has set the address, and ignores an
// hb_standby ("in flux") until it is done.
func (c *cluster) atRest(t *testing.T) {
	t.Helper()
	c.both(func(m *machine) {
		await(t, eventTime, "end of heartbeat's transition on "+m.name, func() bool {
			return m.holds(`state=$(cl_status rscstatus) && [ "$state" != transition ]`)
		})
	})
}

// lostMessage reports whether heartbeat lost what its own programs told it: all write to one pipe, some a message in
// several parts, and two at once mix theirs. A take-over that was asked for so never comes, and the event is played
// again. The message may be lost by the director that is to leave, or by the one that is to come.
func (m *machine) lostMessage() bool {
	return m.holds("grep -qsE 'NV failure \\(msgfromsteam\\)|Message with zero fields' /var/log/ha-log")
}

// linkResource makes the program heartbeat's script.
func (m *machine) linkResource() {
	m.t.Helper()
	m.sh("mkdir -p /etc/ha.d/resource.d; ln -sfn /usr/sbin/ldirectord /etc/ha.d/resource.d/ldirectord")
}
