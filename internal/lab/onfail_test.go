package lab

import (
	"strings"
	"testing"
	"time"
)

const onFailConfig = `checkinterval = 1
onfail = 4
timeouts = 7200/0/60
virtual = 198.51.100.10:7000
        real = 192.0.2.21:7000 masq
        real = 192.0.2.23:7000 masq
        scheduler = wlc
        checktype = connect
`

// The time of onfail continues in the next daemon after a crash. When it is over, the server is removed.
func TestKernelOnFailOverACrash(t *testing.T) {
	l := newLab(t)
	l.echo("rs1", ":7000")
	listener := l.echoing("rs3", ":7000")
	path := l.config(onFailConfig)
	l.does(path, "start")
	l.until(5*time.Second, "-r 192.0.2.21:7000 -m -w 1", "-r 192.0.2.23:7000 -m -w 1")
	listener.Close()
	l.until(10*time.Second, "-r 192.0.2.23:7000 -m -w 0")
	failed := time.Now()
	time.Sleep(2 * time.Second) // of the four seconds of onfail
	l.kill()
	l.does(path, "start")
	l.until(10*time.Second, "no 192.0.2.23", "-r 192.0.2.21:7000 -m -w 1")
	if took := time.Since(failed); took < 3*time.Second || took > 5800*time.Millisecond {
		t.Errorf("the server is out after %v, want 4 s by onfail", took)
	}
	l.says(unfold(l.does(path, "why", "192.0.2.23")), "failed: not in the table until it passes (onfail = 4s)")
	l.does(path, "stop")
}

// The first daemon whose file has timeouts sets them, and sets them again after a change by another program. A second
// daemon doesn't change them until the first one ends. At a stop they stay.
func TestKernelTimeoutsOfTwoDaemons(t *testing.T) {
	l := newLab(t)
	l.echo("rs1", ":7000")
	path := l.config(onFailConfig)
	other := l.file("other.cf", strings.NewReplacer("198.51.100.10", "198.51.100.11", "7200/0/60",
		"0/33/0").Replace(onFailConfig))
	l.does(path, "start")
	l.hasTimeouts("7200 120 60")
	l.says(l.does(other, "start"), "timeouts belong to ldirectord.cf, pid ")
	l.sh("ip netns exec %sdir ipvsadm --set 5 6 7", l.prefix)
	l.saysWithin(5*time.Second, "Set timeouts: 7200/6/60, before: 5/6/7")
	l.hasTimeouts("7200 6 60")
	l.does(path, "stop")
	l.hasTimeouts("7200 33 60")
	l.does(other, "stop")
	l.hasTimeouts("7200 33 60")
}

// hasTimeouts waits until the kernel has certain timeouts.
func (l *lab) hasTimeouts(want string) {
	l.t.Helper()
	shown := ""
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if shown = l.ipvsadm("-l", "--timeout"); strings.Contains(shown, ": "+want) {
			return
		}
	}
	l.t.Errorf("timeouts: %s; want %s\n%s", shown, want, l.logText())
}
