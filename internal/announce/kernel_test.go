package announce

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const apart = "ANNOUNCE_TEST_APART" // the process has a network namespace of its own, and can't make another one

// machine is the kernel with the test's own network namespace, lvs0, lvs1 and the daemons of one run folder. Its
// thread ends with the test, and the namespace with it.
type machine struct {
	*testing.T
	record  Record
	records map[string]Record     // of each file
	daemons map[string]*Announcer // the last one of each file
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	if os.Getenv("IPVS_TESTS") == "" {
		t.Skip("needs root and the lab (testdata/lab/kernel-test)")
	}
	m := &machine{T: t, records: map[string]Record{}, daemons: map[string]*Announcer{}}
	runtime.LockOSThread()
	if os.Getenv(apart) != "" {
		m.must("link del lvs0; link del lvs1") // from the test that runs this one
	} else if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	m.must("link set lo up; link add lvs0 type dummy; link set lvs0 up; link add lvs1 type dummy; link set lvs1 up")
	return m
}

// must runs commands of ip(8), divided by ";".
func (m *machine) must(commands string) (out string) {
	m.Helper()
	for command := range strings.SplitSeq(commands, ";") {
		out += testkit.Run(m, exec.Command("ip", strings.Fields(command)...))
	}
	return out
}

// announcer is the announcer of a file's next daemon.
func (m *machine) announcer(file string) *Announcer {
	save := func(r Record) error {
		m.record, m.records[file] = r, r
		return nil
	}
	m.daemons[file] = New(m.record, claimsOf(file, m.daemons, m.records), save)
	return m.daemons[file]
}

// sync calls Sync for the addresses in words, and returns where they are.
func (m *machine) sync(a *Announcer, repair bool, words ...string) string {
	m.Helper()
	var want []lvs.Wanted
	for _, word := range words {
		w := wantOf(word)
		w.Repair = repair
		want = append(want, w)
	}
	places := testkit.Must(a.Sync(m.Context(), want))(m)
	var list []string
	for _, p := range places {
		line := fmt.Sprintf("%s=%s", p.Addr, p.Device)
		if p.Trouble != nil {
			line += " " + p.Trouble.Error()
		}
		list = append(list, line)
	}
	return strings.Join(list, ", ")
}

// found is the state as ip(8) shows it: the addresses with their devices, and our local routes.
func (m *machine) found() string {
	m.Helper()
	var devices []struct {
		IfName   string `json:"ifname"`
		AddrInfo []struct {
			Local, Label, Scope, Broadcast          string
			PrefixLen                               int
			NoDAD, Deprecated, Tentative, DADFailed bool
		} `json:"addr_info"`
	}
	testkit.OK(m, json.Unmarshal([]byte(m.must("-j addr show")), &devices))
	var list []string
	for _, d := range devices {
		for _, a := range d.AddrInfo {
			if !strings.HasPrefix(d.IfName, "lvs") || strings.HasPrefix(a.Local, "fe80") {
				continue
			}
			text := fmt.Sprintf("%s/%d@%s", a.Local, a.PrefixLen, d.IfName)
			for word, has := range map[string]bool{
				" tentative": a.Tentative, " label=" + a.Label: a.Label != "" && a.Label != d.IfName+
					ourLabel,
				" scope=" + a.Scope: a.Scope != "global", " brd": a.Broadcast != "",
				" source": strings.Contains(a.Local, ":") && !a.Deprecated,
			} {
				if has {
					text += word
				}
			}
			list = append(list, text)
		}
	}
	for _, family := range []string{"-4", "-6"} {
		for line := range strings.Lines(m.must(family + " route show table local proto 77")) {
			if words := strings.Fields(line); slices.Contains(words, "lo") && words[0] == "local" {
				list = append(list, "route "+words[1])
			}
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

func (m *machine) expect(what, got, want string) {
	m.Helper()
	testkit.Equal(m, got, want, what)
}

const (
	four, six = "192.0.2.10", "2001:db8::10"
	routes    = "route " + four + ", route " + six
	bothOn0   = four + "/32@lvs0, " + six + "/128@lvs0, " + routes
	bothOn1   = four + "/32@lvs1, " + six + "/128@lvs1, " + routes
)

func TestKernelAddresses(t *testing.T) {
	m := newMachine(t)
	a := m.announcer("ldirectord.cf")
	play := func(what string, repair bool, to, places, found string) {
		t.Helper()
		m.expect(what+", places", m.sync(a, repair, four+"="+to, six+"="+to),
			strings.NewReplacer("4=", four+"=", "6=", six+"=").Replace(places))
		m.expect(what, m.found(), found)
	}
	play("up", false, "lvs0", "4=lvs0, 6=lvs0", bothOn0)
	play("nothing to do", false, "lvs0", "4=lvs0, 6=lvs0", bothOn0)
	play("to the last resort", false, "lvs1", "4=lvs1, 6=lvs1", bothOn1)
	play("back", false, "lvs0", "4=lvs0, 6=lvs0", bothOn0)
	play("served on", false, "local", "4=, 6=", routes)
	for _, addr := range []string{four, six} {
		if out := m.must("route get " + addr); !strings.HasPrefix(out, "local "+addr) {
			t.Errorf("%s is not local while it is served on: %s", addr, out)
		}
	}
	play("down", false, "-", "4=, 6=", "")
	play("up", false, "lvs0", "4=lvs0, 6=lvs0", bothOn0)

	m.must("addr del " + four + "/32 dev lvs0; addr del " + six + "/128 dev lvs0")
	byHand := "4= was removed from lvs0 by hand, 6= was removed from lvs0 by hand"
	play("removed by hand", false, "lvs0", byHand, routes)
	play("removed by hand, later", false, "lvs0", byHand, routes)
	play("repair", true, "lvs0", "4=lvs0, 6=lvs0", bothOn0)

	m.must("link set lvs0 down")
	down := "4= device lvs0 is down, 6= device lvs0 is down"
	play("device down", false, "lvs0", down, four+"/32@lvs0, "+routes)
	m.must("link set lvs0 up")
	play("device up", false, "lvs0", "4=lvs0, 6=lvs0", bothOn0)
	m.must("link del lvs1")
	play("no last resort", false, "lvs1", "4=lvs0 device lvs1 is missing, 6=lvs0 device lvs1 is missing", bothOn0)
	m.must("link del lvs0")
	play("device missing", false, "lvs0", "4= device lvs0 is missing, 6= device lvs0 is missing", routes)
	m.must("link add lvs0 type dummy; link add lvs1 type bridge")
	play("device made", false, "lvs0", down, routes)
	m.must("link set lvs0 up; link set lvs1 up")
	play("device made and up", false, "lvs0", "4=lvs0, 6=lvs0", bothOn0)
	play("not a dummy", false, "lvs1",
		"4=lvs0 device lvs1 is not a dummy device, 6=lvs0 device lvs1 is not a dummy device", bothOn0)
}

// The unit for a daemon with a user of its own leaves the daemon only one capability.
func TestKernelNetAdminAlone(t *testing.T) {
	newMachine(t)
	const capNetAdmin, nobody = 12, 65534
	dir, err := os.MkdirTemp("/dev/shm", "announce") // on the lab's other file systems the owner can't be changed
	if err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		err = os.Chown(dir, nobody, nobody)
	}
	testkit.OK(t, err)
	var out strings.Builder
	c := exec.Command("/proc/self/exe", "-test.run=^TestKernelAddresses$", "-test.v")
	c.Env, c.Stdout, c.Stderr = append(os.Environ(), "TMPDIR="+dir, apart+"=yes"), &out, &out
	c.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, AmbientCaps: []uintptr{capNetAdmin},
		Pdeathsig: syscall.SIGKILL,
	}
	if err := c.Run(); err != nil || !strings.Contains(out.String(), "--- PASS: TestKernelAddresses") {
		t.Errorf("%v: %s", err, out.String())
	}
}

// A device's name may have 15 bytes, which is also the length of the longest label.
func TestKernelLongName(t *testing.T) {
	m := newMachine(t)
	m.must("link add lvs-announcemen type dummy; link set lvs-announcemen up")
	a := m.announcer("ldirectord.cf")
	want := []lvs.Wanted{{Addr: netip.MustParseAddr(four), Device: "lvs-announcemen",
		Devices: []string{"lvs-announcemen"}, Local: true}}
	for range 2 {
		testkit.Same(t, testkit.Must(a.Sync(t.Context(), want))(t), Placed(want), "long name")
		m.expect("long name", m.found(),
			"192.0.2.10/32@lvs-announcemen label=lvs-announ:ldir, route 192.0.2.10")
	}
}

func TestKernelForeignAddresses(t *testing.T) {
	m := newMachine(t)
	a := m.announcer("ldirectord.cf")
	m.must("addr add " + four + "/32 dev lvs0; addr add " + six +
		"/128 dev lvs0 nodad; addr add 192.0.2.11/24 dev lvs1")
	left := "is on lvs0, where ldirectord did not put it: it is left alone"
	foreign := "192.0.2.10/32@lvs0 label=lvs0, 192.0.2.11/24@lvs1 label=lvs1, 2001:db8::10/128@lvs0 source"
	for range 2 {
		m.expect("wanted", m.sync(a, true, four+"=lvs0", six+"=lvs0"), four+"= "+left+", "+six+"= "+left)
		m.expect("wanted", m.found(), foreign+", route "+four)
	}
	m.expect("not wanted", m.sync(a, true, four+"=-", six+"=-"), four+"= "+left+", "+six+"= "+left)
	m.expect("gone from the file", m.sync(a, true), "")
	m.expect("left alone", m.found(), foreign)
}

func TestKernelTwoDaemons(t *testing.T) {
	m := newMachine(t)
	first, second := m.announcer("www.cf"), m.announcer("mail.cf")
	m.sync(first, false, four+"=lvs0", six+"=lvs0")
	m.record = nil // mail.cf has no record yet
	got := m.sync(second, true, four+"=lvs1", six+"=-")
	const other = "belongs to www.cf, pid 7"
	m.expect("second", got, four+"= "+other+", "+six+"= "+other)
	m.expect("untouched", m.found(), bothOn0)
	kill(first)
	m.expect("taken over", m.sync(second, false, four+"=lvs1", six+"=lvs1"), four+"=lvs1, "+six+"=lvs1")
	m.expect("taken over", m.found(), bothOn1)
}

// After a daemon was killed before any of its steps, the next one puts all addresses in their places.
func TestKernelKilledAtEveryStep(t *testing.T) {
	for _, next := range []string{"lvs0", "lvs1", "gone"} {
		for at := 1; ; at++ {
			if !killedAt(t, at, next) {
				break
			}
		}
	}
}

// killedAt kills a daemon at a step while it moves addresses. It reports whether there was such a step.
func killedAt(t *testing.T, at int, next string) (killed bool) {
	t.Run(fmt.Sprintf("%s/%d", next, at), func(t *testing.T) {
		m := newMachine(t)
		first := m.announcer("ldirectord.cf")
		m.sync(first, false, four+"=lvs0", "192.0.2.11=lvs0")
		d := &deadly{at: at}
		first.open = func() (kernel, error) {
			k, err := openKernel()
			d.kernel = k
			return d, err
		}
		m.sync(first, false, four+"=lvs1", six+"=lvs1", "192.0.2.11=-", "192.0.2.12=?local",
			"2001:db8::12=?local")
		killed = d.steps >= at
		kill(first)
		second := m.announcer("ldirectord.cf")
		want, found := []string{four + "=" + next, six + "=" + next}, ""
		switch next {
		case "gone":
			want = nil
		case "lvs0":
			found = bothOn0
		case "lvs1":
			found = bothOn1
		}
		m.sync(second, false, want...)
		m.expect("after the kill", m.found(), found)
	})
	return killed
}

// deadly is a kernel that does nothing from a given step on.
type deadly struct {
	kernel
	steps, at int
}

func (d *deadly) step(do func() error) error {
	if d.steps++; d.steps >= d.at {
		return errKilled
	}
	return do()
}

func (d *deadly) AddrAdd(l netlink.Link, a *netlink.Addr) error {
	return d.step(func() error { return d.kernel.AddrAdd(l, a) })
}

func (d *deadly) AddrDel(l netlink.Link, a *netlink.Addr) error {
	return d.step(func() error { return d.kernel.AddrDel(l, a) })
}

func (d *deadly) RouteAppend(r *netlink.Route) error {
	return d.step(func() error { return d.kernel.RouteAppend(r) })
}

func (d *deadly) RouteDel(r *netlink.Route) error {
	return d.step(func() error { return d.kernel.RouteDel(r) })
}

func TestKernelHundred(t *testing.T) {
	m := newMachine(t)
	a := m.announcer("ldirectord.cf")
	for _, to := range []string{"lvs0", "lvs1", "-"} {
		var words []string
		for i := range 50 {
			words = append(words, fmt.Sprintf("192.0.2.%d=%s", i+1, to),
				fmt.Sprintf("2001:db8::%x=%s", i+1, to))
		}
		began := time.Now()
		m.sync(a, false, words...)
		t.Logf("100 addresses to %s: %v", to, time.Since(began))
		want := 100
		if to == "-" {
			want = 0
		}
		testkit.Equal(t, strings.Count(m.found(), "@"+to), want, "addresses", to)
	}
}

func TestKernelChanges(t *testing.T) {
	m := newMachine(t)
	a := m.announcer("ldirectord.cf")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	changed := make(chan struct{}, 1)
	network := testkit.Must(os.Open("/proc/thread-self/ns/net"))(t)
	defer network.Close()
	go func() { // as Changes does, in the test's network namespace
		runtime.LockOSThread()
		if err := unix.Setns(int(network.Fd()), unix.CLONE_NEWNET); err != nil {
			t.Error(err)
		}
		a.follow(ctx, changed)
	}()
	await := func(what string) {
		t.Helper()
		select {
		case <-changed:
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: no report", what)
		}
	}
	// settles waits until no more changes are reported.
	settles := func() {
		for {
			select {
			case <-changed:
			case <-time.After(time.Second):
				return
			}
		}
	}
	await("it began")
	m.sync(a, false, four+"=lvs0", six+"=lvs0")
	await("its own change")
	settles()
	m.must("addr del " + four + "/32 dev lvs0")
	await("removed by hand")
	m.sync(a, true, four+"=lvs0", six+"=lvs0")
	settles()
	many := filepath.Join(t.TempDir(), "many") // changes in which this one could be lost, between two looks
	others := strings.Repeat("link set lvs1 down\nlink set lvs1 up\n", 400)
	testkit.Write(t, many, others+"link set lvs0 down\nlink set lvs0 up\n"+others)
	m.must("-batch " + many)
	await("down and up")
	settles()
	m.expect("IPv6 comes back", m.sync(a, false, four+"=lvs0", six+"=lvs0"), four+"=lvs0, "+six+"=lvs0")
	m.expect("IPv6 comes back", m.found(), bothOn0)
}
