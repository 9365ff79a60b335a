package managers

import (
	"strconv"
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

// codesOf are the exit codes of actions: "monitor=7 stop=0".
func codesOf(t *testing.T, cell string) map[string]int {
	codes := map[string]int{}
	for word := range strings.FieldsSeq(cell) {
		action, code, _ := strings.Cut(word, "=")
		codes[action] = testkit.Must(strconv.Atoi(code))(t)
	}
	return codes
}

// Exit codes of the agents by state, as of the OCF resource agent API: 0 success, 1 error, 3 no such
// action, 5 not installed, 7 not running. Over the Perl program a monitor of a daemon that runs fails while
// its file is broken; that would move the service for a mistake in a file that is not in use.
func TestManagerAgents(t *testing.T) {
	const (
		config  = "/etc/ha.d/ldirectord.cf"
		prepare = "ldirectord ldirectord.cf stop >/dev/null 2>&1; pkill -9 -x ldirectord; ipvsadm -C; cp " +
			"/root/good.cf " + config
	)
	c := newCluster(t, "/var/log/ldirectord.log")
	m := c.d1
	m.sh("cp %s /root/good.cf; sed -i '1i autoreload = no' /root/good.cf", config)
	m.put("/root/slow", "sleep 4")
	does := map[string]string{
		"break": "; echo nonsense = 1 >" + config,
		// The daemon takes its table away after three seconds, and waits on for the command.
		"end":    "; kill $(cat /run/ldirectord.ldirectord.cf.pid); while ipvsadm -Sn | grep -q .; do :; done",
		"kill":   "; pkill -9 -x ldirectord",
		"move":   "; mv /usr/sbin/ldirectord /root",
		"remove": "; rm " + config,
		"slow":   "; sed -i '1i onchange = \"/bin/sh /root/slow\"' " + config,
		"start":  "; ldirectord ldirectord.cf start",
	}
	for agent, text := range agents(t) {
		m.installAgent(text)
		for _, row := range testkit.Table(t, "testdata/agents.txt", 4) {
			state, before, ours := row[0], prepare, codesOf(t, row[3])
			for word := range strings.FieldsSeq(row[1]) {
				step, known := does[word]
				testkit.Equal(t, known, true, word)
				before += step
			}
			for action, want := range codesOf(t, row[2]) {
				if code, other := ours[action]; other && agent == "our agent" {
					want = code
				}
				t.Run(agent+"/"+state+"/"+action, func(t *testing.T) {
					m.run("sh", "-c", "mv /root/ldirectord /usr/sbin/ 2>/dev/null; "+before)
					said, got := m.run("env", "OCF_ROOT=/usr/lib/ocf",
						"OCF_RESOURCE_INSTANCE=director", agentPath, action)
					testkit.Equal(t, got, want, "exit status", said)
					if table := m.table(); action == "stop" && want == 0 && table != "" &&
						!strings.HasPrefix(state, "killed") {
						t.Errorf("it left\n%s", table)
					}
					blind := state == "ending" && agent != "our agent" // it runs, for that one
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
