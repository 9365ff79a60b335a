package lab

import (
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// Three of four servers die, and a backup server serves until three serve again. docs/measured/weights.md has the
// results. The rule of docs/measured/failures.md applies to it, it gets no request while it is not needed, and its
// connections are not cut when it leaves.
func TestKernelLongBackup(t *testing.T) {
	onlyLong(t)
	for _, method := range []string{"masq", "gate"} {
		t.Run(method, func(t *testing.T) { playBackup(t, method) })
	}
}

const backupServer = "rs5"

func playBackup(t *testing.T, method string) {
	f := newFailures(t)
	f.webs[backupServer].set(well)
	f.method = method
	if method == "gate" {
		f.answersDirectly()
	}
	f.more = fmt.Sprintf("        scheduler = rr\n        backup = %s %s\n        backupbelow = 2/3\n",
		address(backupServer), method)
	f.configure()
	f.coldStart()
	t.Cleanup(func() { f.does(f.path, "stop") })
	needed := []span{f.backsUp("three of four servers killed, and back, "+method, (*web).stop, (*web).start)}
	if method == "masq" {
		needed = append(needed, f.backsUp("three of four servers hang, and are back, "+method, silent.on(),
			well.on()))
	}
	f.report()
	asked := make([]int, len(needed))
	for _, q := range f.requests {
		if q.server != backupServer && q.sentTo != backupServer {
			continue
		}
		i := slices.IndexFunc(needed, func(s span) bool { return s.covers(q.start) })
		if i < 0 {
			t.Errorf("the backup server got a request at %s, when it was not needed", q.start.Format(clock))
			continue
		}
		asked[i]++
	}
	t.Logf("requests of the backup server: %v", asked)
	if slices.Contains(asked, 0) {
		t.Error("the backup server got no request of a row")
	}
}

// answersDirectly lets the servers answer the client without the director, from the virtual address.
func (f *failures) answersDirectly() {
	for _, name := range append([]string{backupServer}, all...) {
		f.sh(`ip -n %[1]s%[2]s addr add %[3]s/32 dev lo
			ip -n %[1]s%[2]s route add %[4]s via 192.0.2.100`, f.prefix, name, natVIP, clientAddress)
	}
	f.sh("ip netns exec %sdir ipvsadm --set 0 5 0 # seconds until a closed connection is forgotten", f.prefix)
}

// backsUp plays one row. It returns the time in which the backup server may get requests.
func (f *failures) backsUp(fault string, fail, heal func(*web)) (needed span) {
	f.t.Helper()
	r := f.begin("", fault)
	needed.from = time.Now()
	var dead []*outage
	for _, name := range all[:3] {
		dead = append(dead, f.fails(name, fail))
	}
	for _, o := range dead {
		r.out += f.seen(o) + " "
	}
	found := time.Now()
	f.until(time.Second, f.backupAt(1))
	r.note("the backup server is in %s s later", seconds(time.Since(found)))
	long := f.hold(20)
	if n := f.heldBy(long, backupServer); n == 0 || n == len(long.conns) {
		f.t.Errorf("%d of %d lasting connections are at the backup server", n, len(long.conns))
	}
	time.Sleep(time.Second)
	r.back = f.heals(dead[0], heal)
	time.Sleep(time.Second)
	f.until(0, f.backupAt(1)) // two servers serve
	r.back += " " + f.heals(dead[1], heal)
	f.until(time.Second, f.backupAt(0))
	needed.until = time.Now()
	r.back += " " + f.heals(dead[2], heal)
	time.Sleep(2 * time.Second)
	f.until(0, f.backupAt(0)) // removed, its connections would be cut
	n := f.heldBy(long, backupServer)
	if early := long.end(); early != "" || n == 0 {
		r.broken = fmt.Sprintf("%d of the lasting connections are still at the backup server; one ended: %q", n,
			early)
	}
	r.note("%d lasting connections of the backup server stay", n)
	return needed
}

// backupAt is the backup server's line of the table.
func (f *failures) backupAt(weight int) string {
	flag := map[string]string{"masq": "-m", "gate": "-g"}[f.method]
	return fmt.Sprintf("%s %s -w %d\n", entry(backupServer), flag, weight)
}

// heldBy counts the connections that the kernel gave to a server.
func (f *failures) heldBy(h *longConnections, server string) (n int) {
	f.t.Helper()
	var ports []int
	for _, conn := range h.conns {
		ports = append(ports, conn.LocalAddr().(*net.TCPAddr).Port)
	}
	testkit.OK(f.t, f.connections(func(port int, real string) {
		if real == server && slices.Contains(ports, port) {
			n++
		}
	}))
	return n
}
