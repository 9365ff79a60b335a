package managers

import (
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// agentPath is where pacemaker looks for ocf:heartbeat:ldirectord.
const agentPath = "/usr/lib/ocf/resource.d/heartbeat/ldirectord"

// agents are the resource agents that must run the program: Debian's as it is, and ours in its place.
func agents(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for name, path := range map[string]string{"standard agent": agentPath,
		"our agent": "../../../packaging/ocf/ldirectord"} {
		texts[name] = testkit.Read(t, path)
	}
	return texts
}

func (m *machine) installAgent(text string) {
	m.t.Helper()
	m.put(agentPath, text)
	m.sh("chmod 755 %s", agentPath)
}

// Exit codes of the agents by state, as of the OCF resource agent API: 0 success, 1 error, 3 no such
// action, 5 not installed, 7 not running. Over the Perl program a monitor of a daemon that runs fails while
// its file is broken; that would move the service for a mistake in a file that is not in use.
func TestManagerAgents(t *testing.T) {
	const (
		config  = "/etc/ha.d/ldirectord.cf"
		prepare = "ldirectord ldirectord.cf stop >/dev/null 2>&1; pkill -9 -x ldirectord; ipvsadm -C; cp " +
			"/root/good.cf " + config
		breakIt = "; echo nonsense = 1 >" + config
		start   = "; ldirectord ldirectord.cf start"
		slow    = "; sed -i '1i onchange = \"/bin/sh /root/slow\"' " + config
		// The daemon takes its table away after three seconds, and waits on for the command.
		end = "; kill $(cat /run/ldirectord.ldirectord.cf.pid); while ipvsadm -Sn | grep -q .; do :; done"
	)
	c := newCluster(t, "/var/log/ldirectord.log")
	m := c.d1
	m.sh("cp %s /root/good.cf; sed -i '1i autoreload = no' /root/good.cf", config)
	m.put("/root/slow", "sleep 4")
	states := []struct {
		name, prepare string
		codes         map[string]int
		ours          map[string]int // where our agent has another code
	}{
		{"stopped", prepare, map[string]int{"validate-all": 0, "monitor": 7, "start": 0, "stop": 0}, nil},
		{"running", prepare + start,
			map[string]int{"validate-all": 0, "monitor": 0, "start": 0, "stop": 0}, nil},
		{"killed", prepare + start + "; pkill -9 -x ldirectord",
			map[string]int{"validate-all": 0, "monitor": 7, "start": 0, "stop": 0}, nil},
		{"ending", prepare + slow + start + end, map[string]int{"monitor": 0, "start": 0}, nil},
		{"running, file broken", prepare + start + breakIt,
			map[string]int{"validate-all": 0, "monitor": 0, "start": 0, "stop": 0}, nil},
		{"stopped, file broken", prepare + breakIt,
			map[string]int{"validate-all": 0, "monitor": 1, "start": 1, "stop": 0},
			map[string]int{"monitor": 7}},
		{"running, file missing", prepare + start + "; rm " + config,
			map[string]int{"validate-all": 5, "monitor": 5, "start": 5, "stop": 5},
			map[string]int{"monitor": 0, "stop": 0}},
		{"stopped, file missing", prepare + "; rm " + config,
			map[string]int{"validate-all": 5, "monitor": 5, "start": 5, "stop": 5},
			map[string]int{"monitor": 7, "stop": 0}},
		{"killed, file missing", prepare + start + "; pkill -9 -x ldirectord; rm " + config,
			map[string]int{"validate-all": 5, "monitor": 5, "start": 5, "stop": 5},
			map[string]int{"monitor": 7, "stop": 0}},
		{"program missing", prepare + "; mv /usr/sbin/ldirectord /root",
			map[string]int{"validate-all": 5, "monitor": 5, "start": 5, "stop": 5},
			map[string]int{"stop": 0}},
		{"any", prepare, map[string]int{"meta-data": 0, "reload": 3, "promote": 3, "notify": 3}, nil},
	}
	for agent, text := range agents(t) {
		m.installAgent(text)
		for _, state := range states {
			for action, want := range state.codes {
				if code, other := state.ours[action]; other && agent == "our agent" {
					want = code
				}
				t.Run(agent+"/"+state.name+"/"+action, func(t *testing.T) {
					m.run("sh", "-c", "mv /root/ldirectord /usr/sbin/ 2>/dev/null; "+state.prepare)
					said, got := m.run("env", "OCF_ROOT=/usr/lib/ocf",
						"OCF_RESOURCE_INSTANCE=director", agentPath, action)
					testkit.Equal(t, got, want, "exit status", said)
					if table := m.table(); action == "stop" && want == 0 && table != "" &&
						!strings.HasPrefix(state.name, "killed") {
						t.Errorf("it left\n%s", table)
					}
					blind := state.name == "ending" && agent != "our agent" // it runs, for that one
					if action == "start" && want == 0 && !blind && m.table() != wholeTable {
						t.Errorf("the table is\n%s", m.table())
					}
				})
			}
		}
		m.run("sh", "-c", "mv /root/ldirectord /usr/sbin/ 2>/dev/null; "+prepare)
		t.Run(agent+"/ocf-tester", func(t *testing.T) {
			if said, status := m.run("ocf-tester", "-n", "director", "-o", "configfile="+config,
				agentPath); status != 0 {
				t.Errorf("exit status %d: %s", status, said)
			}
		})
	}
}
