package managers

import (
	"strings"
	"testing"
	"time"
)

// servesOn is the longest gap of a table that serves on: the lab stutters, but nothing is repaired before the
// next monitor, 10 s later.
const servesOn = 3 * time.Second

func TestManagerPacemaker(t *testing.T) {
	c := newCluster(t, "/var/log/pacemaker/pacemaker.log", "/var/log/ldirectord.log")
	c.both((*machine).startPacemaker)
	c.d1.sh(`for try in $(seq 60); do crm_attribute -n stonith-enabled -v false && break; sleep 1; done
		crm_attribute -n no-quorum-policy -v ignore`)
	client := newMeter(t)
	result := newGaps("standby", "dead")
	run := c.plays(t, client, result, (*course).pacemaker)
	for way, text := range agents(t) {
		c.both(func(m *machine) { m.installAgent(text) })
		result.measure(t, way, run)
	}
	c.both(func(m *machine) { m.installAgent(agents(t)["standard agent"]) })
	result.compare(c, run)
	t.Logf("\n%s", result)
}

// pacemaker has the director killed and then the resources go from one director to the other.
func (o *course) pacemaker() {
	resources := example(o.t, "pacemaker/resources.xml")
	if o.way == hot {
		resources = strings.Replace(resources, "ldirectord.cf", "second.cf", 1)
		o.both((*machine).startByHand)
		defer o.both(func(m *machine) { m.sh("ldirectord ldirectord.cf stop") })
	}
	o.d1.put("/root/resources.xml", resources)
	o.d1.sh("cibadmin -M -c -o configuration -x /root/resources.xml")
	defer o.noResources()
	active, other := o.begin()
	if o.way != hot {
		o.killed(active)
	}
	o.moves("standby", other, active, func() { active.sh("crm_standby -v on") })
	active.sh("crm_standby -v off")
	active, other = other, active
	o.moves("dead", other, active, active.die)
	active.revive()
	active.startPacemaker()
	if o.way == hot {
		active.startByHand()
	}
	await(o.t, eventTime, "two nodes online", func() bool {
		return other.holds(`crm_mon -1 | grep -q 'Online: \[ d1 d2 \]'`)
	})
}

// killed has the director die: the table serves on, and the next monitor starts another one.
func (o *course) killed(active *machine) {
	o.t.Helper()
	begun := time.Now()
	active.sh("kill -9 $(cat /run/ldirectord.ldirectord.cf.pid)")
	await(o.t, eventTime, "director again", func() bool { return active.holds("ldirectord ldirectord.cf status") })
	if gap := o.client.gap(begun); gap > servesOn {
		o.t.Errorf("while the director was away: a gap of %v", gap)
	}
	o.serves(active, map[bool]*machine{true: o.d2, false: o.d1}[active == o.d1])
}

// noResources stops and removes all of them.
func (o *course) noResources() {
	o.t.Helper()
	o.d1.sh("crm_attribute -n stop-all-resources -v true")
	await(o.t, eventTime, "stop of all", func() bool { return !o.d1.hasAddress() && !o.d2.hasAddress() })
	o.d1.sh(`crm_resource --wait
		cibadmin -R -o constraints -X '<constraints/>'; cibadmin -R -o resources -X '<resources/>'
		crm_attribute -n stop-all-resources -v false`)
}

func (m *machine) startPacemaker() {
	m.t.Helper()
	conf := example(m.t, "pacemaker/corosync.conf")
	// The lab's kernel has neither real-time scheduling nor control groups for it.
	conf += "system {\n\tsched_rr: no\n\tmove_to_root_cgroup: no\n}\n"
	m.put("/etc/corosync/corosync.conf", conf)
	m.sh(`mkdir -p /var/log/pacemaker; chown hacluster:haclient /var/log/pacemaker
		corosync; setsid pacemakerd >/var/log/pacemakerd.log 2>&1 &`)
}
