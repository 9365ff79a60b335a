package lab

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// The addresses of services are on their device while they are served: over a crash, a restart, and a reload without a
// change. At a stop they are removed before the table.
func TestKernelAnnounced(t *testing.T) {
	const four, six = "192.0.2.31/32", "2001:db8::31/128"
	l := newLab(t)
	l.sh("ip -n %[1]sdir link add lvs0 type dummy; ip -n %[1]sdir link set lvs0 up; ip -n %[1]sdir link add lvs1 "+
		"type dummy; ip -n %[1]sdir link set lvs1 up", l.prefix)
	l.echo("rs1", "192.0.2.21:7000")
	section := "virtual = 192.0.2.31:7000\n        real = 192.0.2.21:7000 gate\n        checktype = connect\n" +
		"virtual6 = [2001:db8::31]:7000\n        real6 = [2001:db8::21]:7000 gate\n        checktype = on\n"
	announcing := "checkinterval = 1\nwithdrawwait = 5\nannounce = lvs0\nlastresort = lvs1\n" + section
	path := l.config(announcing)
	l.says(l.run(exitOK, path, "plan"), "would put 192.0.2.31/32 on lvs0\n", "would put 2001:db8::31/128 on lvs0\n")
	l.run(exitOK, path, "withdraw", "192.0.2.31")
	if out := l.run(exitOK, path, "plan"); strings.Contains(out, "192.0.2.31/32") ||
		!strings.Contains(out, "would put 2001:db8::31/128 on lvs0\n") {
		t.Errorf("plan announces an address that is withdrawn by order:\n%s", out)
	}
	l.run(exitOK, path, "announce", "192.0.2.31")
	l.run(exitOK, path, "start")
	l.onDevice("lvs0", four, six)
	l.onDevice("lvs1")

	moves := l.watchAddresses()
	l.kill()
	l.run(exitOK, path, "start")
	l.run(exitOK, path, "restart")
	l.run(exitOK, path, "reload")
	l.onDevice("lvs0", four, six)
	testkit.Equal(t, moves(), "", "addresses that should have stayed came or went")

	other := filepath.Join(l.dir, "other.cf")
	testkit.Write(t, other, "logfile = \""+l.log+"2\"\ncheckinterval = 1\nannounce = lvs1\n"+section)
	l.run(exitOK, other, "start")
	l.fileSays(l.log+"2", 0, 10*time.Second, "belong to ldirectord.cf, pid ")
	l.run(exitOK, other, "stop")
	l.onDevice("lvs0", four, six)
	l.onDevice("lvs1")

	l.sh("ip -n %[1]sdir link set lvs0 down; ip -n %[1]sdir link set lvs0 up", l.prefix)
	l.onDevice("lvs0", four, six)

	l.kill()
	l.config(section) // this file announces nothing
	l.says(l.run(exitOK, path, "plan"), "would take 192.0.2.31/32 from lvs0 (not in the file)",
		"would take 2001:db8::31/128 from lvs0 (not in the file)")
	l.run(exitOK, path, "start")
	l.onDevice("lvs0")
	l.config(announcing)
	l.run(exitOK, path, "reload")
	l.onDevice("lvs0", four, six)

	stop := l.command(path, "stop")
	testkit.OK(t, stop.Start())
	l.onDevice("lvs0")
	l.until(0, "-t 192.0.2.31:7000 -r", "-t [2001:db8::31]:7000 -r")
	if err := stop.Wait(); err != nil {
		t.Error(err)
	}
	l.until(0, "no 192.0.2.31", "no 2001:db8::31")
	testkit.Equal(t, l.addresses("route show table local proto 77"), "", "local routes are left")
}

// addresses is the output of ip(8) in the director.
func (l *lab) addresses(args string) string {
	l.t.Helper()
	out, err := exec.Command("ip", append([]string{"-n", l.prefix + "dir"},
		strings.Fields(args)...)...).CombinedOutput()
	if err != nil {
		l.t.Fatalf("ip %s: %v: %s", args, err, out)
	}
	return string(out)
}

// onDevice waits until a device has these addresses and no others.
func (l *lab) onDevice(device string, want ...string) {
	l.t.Helper()
	const limit = 10 * time.Second
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		var got []string
		for _, found := range regexp.MustCompile(
			`inet6? (\S+)`).FindAllStringSubmatch(l.addresses("addr show "+device+" scope global"), -1) {
			got = append(got, found[1])
		}
		if slices.Sort(got); slices.Equal(got, want) {
			return
		}
		if time.Since(begin)-l.idle.since(begin) > limit {
			l.t.Fatalf("%s has %v, not %v\nlog:\n%s", device, got, want, l.logText())
		}
	}
}

// watchAddresses records the changes of addresses on the devices, until the returned function is called.
func (l *lab) watchAddresses() func() string {
	l.t.Helper()
	var out strings.Builder
	c := exec.Command("ip", "-n", l.prefix+"dir", "monitor", "address")
	c.Stdout = &out
	testkit.OK(l.t, c.Start())
	return func() string {
		c.Process.Kill()
		c.Wait()
		return strings.Join(regexp.MustCompile(`.*\blvs.*`).FindAllString(out.String(), -1), "\n")
	}
}

// Before an address is announced, nothing leads to it. So its first checks wait for its local route. A server that
// lacks the address is never in service, even after a kill. At the end the route is removed.
func TestKernelAnnouncedCheckVIP(t *testing.T) {
	l := newTrafficLab(t)
	l.sh(`ip -n %[1]sdir link add lvs0 type dummy; ip -n %[1]sdir link set lvs0 up
		ip netns exec %[1]sdir sysctl -qw net.ipv4.conf.br0.accept_local=1 \
			net.ipv4.conf.br0.rp_filter=2`, l.prefix)
	four, six := lane{forward: "gate", family: "IPv4", vip: "203.0.113.10"},
		lane{forward: "gate", family: "IPv6", vip: "2001:db8:f::10"}
	path := l.config("checkinterval = 1\nchecktimeout = 2\nwithdrawwait = 1\nannounce = lvs0\n" +
		sections("VIRTUAL = ADDRESS:7000\nREALS:7000\n        checktype = connect\n        checkvip = yes\n",
			four, six))
	l.realServerScript(path, "start", 2, 3)
	for _, ns := range three {
		l.echo(ns, ":7000")
	}
	up := []string{"-r 192.0.2.22:7000 -g -w 1", "-r 192.0.2.23:7000 -g -w 1", "-r [2001:db8:1::22]:7000 -g -w 1",
		"-r [2001:db8:1::23]:7000 -g -w 1"}
	serves := func(what string) {
		t.Helper()
		l.until(10*time.Second, up...)
		l.onDevice("lvs0", "2001:db8:f::10/128", "203.0.113.10/32")
		l.saysWithin(10*time.Second,
			"Check failed: 192.0.2.21:7000 (tcp:203.0.113.10:7000): through 203.0.113.10: connect: no "+
				"answer")
		l.saysWithin(10*time.Second,
			"Check failed: [2001:db8:1::21]:7000 (tcp:[2001:db8:f::10]:7000): through 2001:db8:f::10: "+
				"connect: no answer")
		said := l.logText()
		for _, wrong := range []string{"Added real server: 192.0.2.21", "Added real server: [2001:db8:1::21]",
			"not checked"} {
			if strings.Contains(said, wrong) {
				t.Errorf("%s: %s\n%s", what, wrong, said)
			}
		}
	}
	l.run(exitOK, path, "start")
	serves("start")
	l.kill()
	l.sh("ip netns exec %sdir ipvsadm -C", l.prefix)
	l.run(exitOK, path, "start")
	serves("after a kill")
	l.run(exitOK, path, "stop")
	testkit.Equal(t,
		l.addresses("route show table local proto 77")+l.addresses("-6 route show table local proto 77"), "",
		"local routes are left")
}
