package doctor

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"ldirectord/internal/plan"
	"ldirectord/internal/testkit"
	"ldirectord/internal/viavip"
)

func newExamination(services []*plan.Service, facts facts, path string) *examination {
	facts.services = services
	return &examination{facts: facts, path: path}
}

func TestNeighboursAreAskedForVirtualAddressesAndServers(t *testing.T) {
	f := healthyFacts()
	for i := range f.devices {
		f.devices[i].HardwareAddr = []byte{2, 0, 0, 0, 0, 1}
	}
	f.routes[routeQuery{to: addrOf("192.0.2.99")}] = route{device: "eth0", gateway: true}
	f.services = servicesOf(t,
		fileOf("gate + gate6 + gate 10:80->10:81 192.0.2.21->192.0.2.99 + masq 10:80->11:80"))
	var got []string
	for _, q := range f.inquiries() {
		for _, addr := range q.addrs {
			got = append(got, q.device.Name+" "+q.source.String()+" "+addr.String())
		}
	}
	slices.Sort(got)
	testkit.Same(t, got, []string{"eth0 192.0.2.1 192.0.2.10", "eth0 192.0.2.1 192.0.2.21",
		"eth0 2001:db8::1 2001:db8::10", "eth0 2001:db8::1 2001:db8::21"})
	testkit.Equal(t, len(f.unread), 0, "not looked at", f.unread)
	f.devices[2].Flags = 0
	f.services = servicesOf(t, byGate)
	if asked := f.inquiries(); len(asked) > 0 || len(f.unread) != 1 {
		t.Errorf("on an interface that is down: %v, not looked at %v", asked, f.unread)
	}
}

// An address for which duplicate address detection failed does not count as one that the machine has.
func TestDuplicatesAreNotCounted(t *testing.T) {
	failed, good := netip.MustParsePrefix("2001:db8::10/128"), netip.MustParsePrefix("2001:db8::11/128")
	d := newDevice(net.Interface{}, []viavip.Address{{Prefix: good}, {Prefix: failed, Failed: true}})
	testkit.Same(t, d.failed, []netip.Prefix{failed})
	testkit.Same(t, d.prefixes, []netip.Prefix{good})
}

func TestWhatBothFamiliesAreAskedOnIsNamedOnce(t *testing.T) {
	var f facts
	f.note("who answers on eth0", nil)
	f.note("who answers on eth0", nil)
	f.note("sockets", nil)
	testkit.Same(t, f.looked, []string{"who answers on eth0", "sockets"})
}

// arpAnswer is an ARP reply of 192.0.2.10.
var arpAnswer = []byte{0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 0x21, 192, 0, 2, 10, 2, 0, 0, 0, 0, 1, 192, 0, 2, 1}

func TestAnswersOfNeighboursAreRead(t *testing.T) {
	target := addrOf("2001:db8::10").AsSlice()
	advertisement := slices.Concat([]byte{136, 0, 0, 0, 0x60, 0, 0, 0}, target, []byte{14, 1, 0, 0, 0, 0, 0, 0},
		[]byte{2, 1, 2, 0, 0, 0, 0, 0x21})
	for _, one := range []struct {
		from   string
		packet []byte
		read   func([]byte) (netip.Addr, string, bool)
	}{{"192.0.2.10", arpAnswer, arp{}.read}, {"2001:db8::10", advertisement, discovery{}.read}} {
		addr, hardware, ok := one.read(one.packet)
		testkit.Equal(t, fmt.Sprint(addr, " ", hardware, " ", ok), one.from+" 02:00:00:00:00:21 true")
		for n := range one.packet {
			if _, _, ok := one.read(one.packet[:n]); ok {
				t.Errorf("%d bytes of the answer of %s are read", n, one.from)
			}
		}
	}
	request := inquiry{device: device{Interface: net.Interface{HardwareAddr: []byte{2, 0, 0, 0, 0, 1}}},
		source: addrOf("192.0.2.1")}.request(addrOf("192.0.2.10"))
	if _, _, ok := (arp{}).read(request); ok || len(request) != arpLength {
		t.Error("a request is taken for a reply")
	}
	advertisement[25] = 0 // an option of length 0
	if _, _, ok := (discovery{}).read(advertisement); ok {
		t.Error("an endless option is read")
	}
}

func FuzzAnswersOfNeighbours(f *testing.F) {
	f.Add(arpAnswer)
	f.Add(slices.Concat([]byte{136, 0, 0, 0, 0x60, 0, 0, 0}, make([]byte, 16), []byte{2, 1, 2, 0, 0, 0, 0, 0x21}))
	f.Fuzz(func(t *testing.T, packet []byte) {
		for _, parse := range []func([]byte) (netip.Addr, string, bool){arp{}.read, discovery{}.read} {
			if addr, hardware, ok := parse(packet); ok && (!addr.IsValid() || len(hardware) != 17) {
				t.Errorf("%s %q", addr, hardware)
			}
		}
	})
}

func TestListeningSocketsAreRead(t *testing.T) {
	l := listeners{}
	err := readSockets(strings.NewReader(`  sl  local_address rem_address   st tx_queue rx_queue
   0: 0A0200C0:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 0B0200C0:0050 00000000:0000 01 00000000:00000000 00:00000000 00000000     0        0 1 1
   2: 00000000:0051 00000000:0000 0A
   3: B80D0120000000000000000010000000:0052 00000000000000000000000000000000:0000 0A
   4: 0000000000000000FFFF00000A0200C0:0053 00000000000000000000000000000000:0000 0A
   5: zz:0054 0 0A
   6: 00:0054 0 0A
   7:
`), stateListen, l.add)
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]bool{
		"192.0.2.10:80": true, "192.0.2.11:80": false, "192.0.2.10:81": true, "[2001:db8::10]:81": false,
		"[2001:db8::10]:82": true, "192.0.2.10:83": true, "192.0.2.10:84": false,
	} {
		testkit.Equal(t, l.accepts(addrPort(addr)), want, addr)
	}
}
