package protocol

import (
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/settings"
	"ldirectord/internal/testkit"
)

// A check that must stay on the link does not reach a server beyond a router, and does reach one on the link, by TCP
// and by UDP. With IPv4 the kernel refuses to send. With IPv6 the first router would drop the packet.
func TestKernelOnLink(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	runtime.LockOSThread() // the thread ends with the test, and its network namespace with it
	testkit.OK(t, syscall.Unshare(syscall.CLONE_NEWNET))
	for _, line := range []string{
		"link set lo up", "link add d0 type veth peer name d1", "link set d0 up", "link set d1 up",
		"address add 10.9.0.1/24 dev d0", "route add default via 10.9.0.254",
		"neighbour add 10.9.0.254 lladdr 02:00:00:00:00:01 dev d0",
		"neighbour add 10.9.0.2 lladdr 02:00:00:00:00:02 dev d0",
	} {
		testkit.Run(t, exec.Command("ip", strings.Fields(line)...))
	}
	for _, c := range []struct {
		to      string
		onLink  bool
		service string
		says    string
	}{
		{"10.8.0.1:80", true, "", "network is unreachable"},
		{"10.8.0.1:80", false, "", "no answer"},
		{"10.9.0.2:80", true, "", "no answer"},
		{"127.0.0.1:9", true, "", "connect: refused"},
		{"[::1]:9", true, "", "connect: refused"},
		{"10.8.0.1:53", true, "dns", "network is unreachable"},
		{"10.9.0.2:53", true, "dns", "no answer"},
		{"10.8.0.1:80", true, "http", "network is unreachable"},
	} {
		limit := 20 * time.Second // for results that come at once
		if c.says == "no answer" {
			limit = time.Second
		}
		spec := Spec{Type: "connect", Target: netip.MustParseAddrPort(c.to), Timeout: limit,
			NegotiateTimeout: limit, Path: settings.Path{OnLink: c.onLink}}
		if c.service != "" {
			spec.Type, spec.Service, spec.Request, spec.Receive, spec.HTTPMethod, spec.URL = "negotiate",
				c.service, "example", ".", "GET", "http://"+c.to+"/"
		}
		check := testkit.Must(New(spec, nil))(t)
		if r := check.Check(t.Context()); r.OK || !strings.Contains(r.Detail, c.says) {
			t.Errorf("%s %s on link %v: %q, want %q", c.service, c.to, c.onLink, r.Detail, c.says)
		}
		if light, ok := check.(checker.Light); ok && c.service != "dns" {
			if o, _ := light.Opening(); (o.Via != nil) != c.onLink {
				t.Errorf("%s %s: the loop goes another way than the check", c.service, c.to)
			}
		}
	}
}
