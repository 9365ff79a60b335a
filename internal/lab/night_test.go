package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// nightRow is a row of docs/night.md.
type nightRow struct {
	trouble string
	command []string // arguments of the program, without CONFIG
	prints  []string
}

// isIn reports whether an output has all the words. A long reason may span several lines.
func (r nightRow) isIn(out string) bool {
	said := strings.Join(strings.Fields(out), " ")
	return !slices.ContainsFunc(r.prints, func(words string) bool { return !strings.Contains(said, words) })
}

func nightRows(t *testing.T) (rows []nightRow) {
	t.Helper()
	text := testkit.Read(t, "../../docs/night.md")
	row := regexp.MustCompile("(?m)^\\| ([^|]+) \\| `ldirectord CONFIG ([^`]+)` \\| ([^|]+) \\| [^|]+ \\|$")
	for _, m := range row.FindAllStringSubmatch(text, -1) {
		r := nightRow{trouble: m[1], command: strings.Fields(m[2])}
		for _, words := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(m[3], -1) {
			r.prints = append(r.prints, words[1])
		}
		rows = append(rows, r)
	}
	return rows
}

// nightElsewhere are the rows that other tests play, with the file that has their words.
var nightElsewhere = map[string]string{
	"a name has no address":                                     "../../testdata/script/names.txtar",
	"no mark can be set":                                        "../doctor/testdata/findings.golden",
	"another program marks the packets of checks":               "../doctor/testdata/findings.golden",
	"the Perl program still runs":                               "../../testdata/script/perl-daemon.txtar",
	"the daemon does not answer":                                "../../testdata/script/hung-daemon.txtar",
	"no daemon runs":                                            "../../testdata/script/one-daemon.txtar",
	"a daemon does not start after a boot: its file is refused": "../../testdata/script/lastgood.txtar",
	"a `roll` has stopped, and its server is still " +
		"drained": "../../testdata/script/slow/rolling-release.txtar",
	"a list of `realfile` or `realnames` is not used":               "../../testdata/script/realfile.txtar",
	"the sections of parts have vanished":                           "../../testdata/script/include.txtar",
	"an order is refused":                                           "../../testdata/script/full-rundir.txtar",
	"a server passes its checks, and its clients get no answers":    "../../testdata/scenario/observe.txt",
	"a server is left out for that a third time":                    "../lab/observe_test.go",
	"a server fails and comes back many times":                      "../../testdata/scenario/flaps.txt",
	"a server passes again, and stays out":                          "../../testdata/scenario/comeback.txt",
	"a failed server is still in the table":                         "../../testdata/scenario/onfail.txt",
	"a server ends idle connections":                                "../../testdata/scenario/watch-not.txt",
	"a server is down, and clients still get its errors":            "../../testdata/status/text",
	"a server passes its checks, and gets no clients":               "../../testdata/script/set.txtar",
	"a server passes its checks, gets no clients, and has no order": "../../testdata/status/text",
	"a server is hot: it has far more connections than its weight asks " +
		"for": "../../testdata/scenario/same-share.txt",
	"a few clients make a server hot":                                "../../testdata/script/connections.txtar",
	"some servers are out: which of the others must stay up tonight": "../../testdata/script/whatif.txtar",
	"every server is up, and clients get nothing":                    "../../testdata/script/outage.txtar",
	"clients are refused, and every server is up":                    "../../testdata/status/text",
	"clients get the fallback page":                                  "../../testdata/status/text",
	"conntrack of the director is nearly full":                       "../../testdata/status/text",
	"checks fail because of the director itself":                     "../../testdata/scenario/own-shortage.txt",
}

// Each row of the page has its test, even where there is no lab.
func TestNightRowsArePlayed(t *testing.T) {
	rows := nightRows(t)
	if len(rows) != len(night)+len(nightElsewhere) {
		t.Errorf("docs/night.md has %d rows, played are %d and %d", len(rows), len(night), len(nightElsewhere))
	}
	for _, r := range rows {
		file, elsewhere := nightElsewhere[r.trouble]
		if (night[r.trouble] != nil) == elsewhere || len(r.prints) == 0 {
			t.Errorf("%s: in the lab: %v, elsewhere: %v", r.trouble, night[r.trouble] != nil, elsewhere)
		}
		if !elsewhere {
			continue
		}
		text := testkit.Read(t, file)
		for _, words := range r.prints {
			if !strings.Contains(text, words) {
				t.Errorf("%s: %s does not have: %s", r.trouble, file, words)
			}
		}
	}
}

const nightConfig = quick + `quiescent = no
virtual = 198.51.100.10:80
        real = 192.0.2.21:80 masq
        real = 192.0.2.22:80 masq
        service = http
        request = "/check"
        receive = "OK"
        scheduler = rr
`

// nightLab is the lab for a trouble: nightConfig runs there, and both servers are healthy.
type nightLab struct {
	*lab
	rs1, rs2 *web
	path     string
}

// reload makes the daemon read another file.
func (n *nightLab) reload(want int, config string) {
	n.t.Helper()
	n.config(config)
	n.run(want, n.path, "reload")
}

// inDir runs a command in the director.
func (n *nightLab) inDir(format string, args ...any) {
	n.t.Helper()
	n.sh("ip netns exec %sdir %s", n.prefix, fmt.Sprintf(format, args...))
}

var night = map[string]func(n *nightLab){
	"a server hangs":                 func(n *nightLab) { n.rs1.set(silent) },
	"a server refuses connections":   func(n *nightLab) { n.rs1.stop() },
	"a server answers with an error": func(n *nightLab) { n.rs1.set(broken) },
	"a server has another page":      func(n *nightLab) { n.rs1.set(content) },
	"no server of a service is up":   func(n *nightLab) { n.rs1.stop(); n.rs2.stop() },
	"the fallback server would not help": func(n *nightLab) {
		n.reload(0, nightConfig+"        fallback = 127.0.0.1:80 gate\n        fallbackcheck = connect\n")
	},
	"a certificate has expired": func(n *nightLab) {
		n.webOn("rs1", "443")
		n.ahead(2 * time.Hour)
		secure := strings.NewReplacer(":80", ":443", "= http", "= https").Replace(nightConfig)
		n.reload(0, strings.ReplaceAll(secure, "        real = 192.0.2.22:443 masq\n", ""))
	},
	"the virtual address is missing on the director": func(n *nightLab) {
		n.reload(0, strings.ReplaceAll(nightConfig, natVIP, "203.0.113.77"))
	},
	"the virtual address is missing on a server": func(n *nightLab) {
		n.inDir("sysctl -qw net.ipv4.conf.all.accept_local=1")
		n.t.Cleanup(func() { n.inDir("sysctl -qw net.ipv4.conf.all.accept_local=0") })
		n.reload(0, strings.NewReplacer(natVIP, drVIP, "masq", "gate").Replace(nightConfig))
	},
	"mark rules were flushed": func(n *nightLab) {
		marked := strings.ReplaceAll(nightConfig, "198.51.100.10:80", "3\n        mark = 198.51.100.10 tcp 80")
		n.reload(0, marked+"        checkport = 80\n")
		n.inDir("iptables -w -t mangle -F")
	},
	"a weight was changed by hand": func(n *nightLab) {
		n.inDir("ipvsadm -e -t %s:80 -r 192.0.2.21:80 -m -w 7", natVIP)
	},
	"the table was emptied": func(n *nightLab) { n.inDir("ipvsadm -C") },
	"two daemons have one virtual service": func(n *nightLab) {
		first := n.path
		text := testkit.Must(os.ReadFile(first))(n.t)
		n.path = filepath.Join(n.dir, "second.cf")
		testkit.Write(n.t, n.path, string(text))
		n.does(n.path, "start")
		second := n.path
		n.t.Cleanup(func() { n.does(second, "stop") })
	},
	"the director does not forward packets": func(n *nightLab) {
		n.inDir("sysctl -qw net.ipv4.ip_forward=0")
		n.t.Cleanup(func() { n.inDir("sysctl -qw net.ipv4.ip_forward=1") })
	},
	"the director's link to the servers is down": func(n *nightLab) {
		n.inDir("ip link set br0 down")
		n.t.Cleanup(func() { n.inDir("ip link set br0 up") })
	},
	"this director stands by": func(n *nightLab) {
		n.does(n.path, "stop")
		n.does(n.path, "standby")
	},
	"a reload was refused": func(n *nightLab) {
		n.config("virtuel = 1\n")
		n.signal(syscall.SIGHUP)
	},
	"the log can't be written": func(n *nightLab) {
		full := filepath.Join(n.dir, "full")
		n.sh("mkdir -p %[1]s && mount -t tmpfs -o size=8k full %[1]s", full)
		n.sh("! head -c 9000 /dev/zero >%s/zeros 2>/dev/null", full)
		n.t.Cleanup(func() { n.sh("umount -l %s", full) })
		was := n.log
		n.log = filepath.Join(full, "log")
		n.t.Cleanup(func() { n.log = was })
		n.does(n.path, "stop")
		n.config(nightConfig)
		n.does(n.path, "start")
	},
	"mail is not sent": func(n *nightLab) {
		n.reload(0, "emailalert = root@localhost\nsmtp = 127.0.0.1\n"+nightConfig)
		n.rs1.stop()
	},
	"the clock was changed": func(n *nightLab) { n.ahead(time.Hour) },
}

// ahead sets the clock forward for the time of the test.
func (n *nightLab) ahead(by time.Duration) {
	n.t.Helper()
	if !ownKernel() {
		n.t.Skip("the clock is not set on a machine's own kernel")
	}
	n.setClock(by)
	n.t.Cleanup(func() { n.setClock(-by) })
}

// The command of each row of docs/night.md prints what the row says.
func TestKernelLongNight(t *testing.T) {
	onlyLong(t)
	l := newNetwork(t, 2)
	for _, r := range nightRows(t) {
		if night[r.trouble] == nil {
			continue
		}
		t.Run(r.trouble, func(t *testing.T) {
			l := l.with(t)
			n := &nightLab{lab: l, rs1: l.web("rs1"), rs2: l.web("rs2")}
			n.path = n.start(strings.TrimPrefix(nightConfig, quick))
			const entry = "-a -t 198.51.100.10:80 -r 192.0.2.2"
			n.until(20*time.Second, entry+"1:80 -m -w 1", entry+"2:80 -m -w 1")
			night[r.trouble](n)
			for end := time.Now().Add(30 * time.Second); ; {
				out, _ := n.command(append([]string{n.path}, r.command...)...).CombinedOutput()
				if r.isIn(string(out)) {
					return
				}
				if time.Now().After(end) {
					t.Fatalf("%v has no %q:\n%s\nlog:\n%s", r.command, r.prints, out, n.logText())
				}
				time.Sleep(200 * time.Millisecond)
			}
		})
	}
}
