package lab

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// The rights of packaging/systemd with its drop-in for another user are enough: CAP_NET_ADMIN and CAP_NET_RAW, and
// read-only kernel settings.
func TestKernelCheckVIPRights(t *testing.T) {
	l, path, servers := newCheckVIPLab(t)
	l.does(path, "stop")
	l.privateIs("")
	text := testkit.Must(os.ReadFile(path))(t)
	// in the lab's kernel all files belong to root
	l.sh("chmod 711 %[1]s/..; mount -t tmpfs -o mode=755,uid=65534,gid=65534 lab %[1]s", l.dir)
	t.Cleanup(func() { exec.Command("umount", l.dir).Run() })
	testkit.OK(t, os.WriteFile(path, text, 0o644))
	const rights = "-all,+net_admin,+net_raw"
	begin := exec.Command("ip", "netns", "exec", l.prefix+"dir", "sh", "-ec",
		`mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys
		if sysctl -qw net.ipv4.ip_forward=1 2>/dev/null; then exit 1; fi
		exec setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs \
			--bounding-set=`+rights+` --inh-caps=`+rights+` --ambient-caps=`+rights+` "$@"`,
		"sh", program(t), "--rundir", l.dir, path, "start")
	if out, err := begin.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s\n%s", err, out, l.logText())
	}
	defer l.does(path, "stop")
	l.until(5*time.Second, servers...)
	made := l.privateAre(6)
	l.sh("ip -n %srs1 addr del 192.0.2.10/32 dev lo", l.prefix)
	l.until(5*time.Second, "no "+servers[0])
	l.sh("ip -n %srs1 addr add 192.0.2.10/32 dev lo", l.prefix)
	l.until(5*time.Second, servers...)
	l.ipvsadm("-C")
	l.until(5*time.Second, servers...)
	l.privateIs(made)
	l.does(path, "stop")
	l.privateIs("")
}
