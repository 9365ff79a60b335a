package doctor

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// These facts are those of this machine, found with real sockets.
func TestFactsOfALoopbackAddress(t *testing.T) {
	here, gone := testkit.AddrOf(testkit.Listen(t)), testkit.FreeAddr(t)
	services := servicesOf(t, fmt.Sprintf("virtual = 127.0.0.1:80\n  real = 127.0.0.1:80 masq\n"+
		"  fallback = %s masq\n  checktype = on\n"+
		"virtual = 127.0.0.1:81\n  real = 127.0.0.1:80 masq\n  fallback = %s masq\n  checktype = on\n",
		here, gone))
	start := time.Now()
	f := gather(t.Context(), services, Daemon{})
	f.ask(t.Context())
	if took := time.Since(start); took > 2*(probeTime+programTime) {
		t.Errorf("it took %v", took)
	}
	if r := f.routes[routeQuery{to: addrOf("127.0.0.1")}]; !r.local {
		t.Errorf("the route to 127.0.0.1 is %+v", r)
	}
	if !f.listening.accepts(here) || f.listening.accepts(gone) {
		t.Error("the listening sockets are not those that are there")
	}
	if len(f.refused) != 1 || f.refused[gone] == nil {
		t.Errorf("refused: %v", f.refused)
	}
	if looked := strings.Join(f.looked, ", "); !strings.Contains(looked, "routes") || f.settings[forward4] == "" {
		t.Errorf("looked at %s, settings %v, not looked at %v", looked, f.settings, f.unread)
	}
}

// A private service is found after 300,000 servers, whatever the length of their list.
func TestPrivateServicesInALongTable(t *testing.T) {
	table := ipvs + strings.Repeat(lastServer, 300_000) + "FWM  4C000001 rr ops\nFWM  00000001 rr ops\n"
	f := facts{root: proc(t, map[string]string{"net/ip_vs": table})}
	f.findPrivate()
	testkit.Same(t, f.private, []uint32{0x4c000001})
}
