package lab

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// Two daemons on one machine start at once and check the same servers. Each has its own private services. The end of
// one, by order or by a crash, doesn't touch those of the other.
func TestKernelCheckVIPTwoDaemons(t *testing.T) {
	l, path, servers := newCheckVIPLab(t)
	l.does(path, "stop")
	text := testkit.Read(t, path)
	other := filepath.Join(l.dir, "other.cf")
	testkit.Write(t, other, strings.NewReplacer("10:7000", "10:7001", "10]:7000", "10]:7001").Replace(text))
	for _, ns := range three {
		l.echo(ns, ":7001")
	}
	both := servers
	for _, s := range servers {
		both = append(both, strings.Replace(s, ":7000", ":7001", 1))
	}

	first, second := l.command(path, "start"), l.command(other, "start")
	testkit.OK(t, first.Start())
	if out, err := second.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	defer l.does(other, "stop")
	if err := first.Wait(); err != nil {
		t.Error(err)
	}
	l.until(10*time.Second, both...)
	all := l.privateAre(12)

	before := len(l.logText())
	l.kill()
	l.does(path, "start")
	time.Sleep(3 * time.Second)
	l.until(5*time.Second, both...)
	l.privateIs(all)
	l.does(path, "stop")
	left := l.private()
	if strings.Count(left, "-A ") != 6 || strings.Count(left, "-a ") != 6 {
		t.Errorf("of the private services\n%s\nthe end of one daemon leaves\n%s", all, left)
	}
	time.Sleep(3 * time.Second)
	l.until(time.Second, both[6:]...)
	l.privateIs(left)
	if said := l.logText()[before:]; strings.Contains(said, "Check failed") ||
		strings.Contains(said, "not checked through") {
		t.Errorf("the end of one daemon makes checks of the other fail:\n%s", said)
	}
	l.does(other, "stop")
	l.privateIs("")
}
