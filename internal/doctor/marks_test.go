package doctor

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"ldirectord/internal/fwmark"
	"ldirectord/internal/testkit"
)

const wholeMark = 0xffffffff

func TestWhatAMachineMakesOfMarks(t *testing.T) {
	foreign := fwmark.Setting{BackEnd: fwmark.NFT, Chain: "PREROUTING",
		Rule: "-d 192.0.2.10/32 -j MARK --set-xmark 0x3/0xffffffff", Mark: 3, Mask: wholeMark}
	sibling, own, foreign6 := foreign, foreign, foreign
	sibling.Ours, sibling.Chain = true, "LDIRECTORD-other-1"
	own.Ours, own.Chain = true, "LDIRECTORD-own-1"
	foreign6.IPv6 = true
	nft := func(s ...fwmark.Setting) fwmark.Machine { return fwmark.Machine{BackEnd: fwmark.NFT, Settings: s} }
	routed := nft(own)
	routed.Routing = []fwmark.RoutingRule{{IPv6: true, Mark: 3, Mask: wholeMark},
		{Priority: 100, Mark: 3, Mask: 0xff, Table: "isp2"}}
	other, legacy, unread := nft(own), nft(own), nft()
	other.Other = fwmark.Legacy
	legacy.Other, legacy.BackEnd = fwmark.NFT, fwmark.Legacy
	unread.Unread = []string{"iptables-nft: permission denied"}
	machines := map[string]fwmark.Machine{"own": nft(own), "nothing": nft(), "foreign": nft(foreign),
		"foreign6": nft(foreign6), "unread": unread, "own, foreign": nft(own, foreign),
		"own, another daemon's": nft(own, sibling),
		"routed":                routed, "legacy too": other, "nft too": legacy, "no iptables": {}}
	for _, row := range testkit.Table(t, "testdata/marks.txt", 4) {
		machine := machines[row[2]]
		e := newExamination(servicesOf(t, fileOf(row[1])),
			facts{marks: &machine,
				daemon: Daemon{Owns: func(s fwmark.Setting) bool { return s.Chain == own.Chain }}}, "")
		e.allMarks()
		if got := said(&e.findings); !strings.HasPrefix(got, row[3]) || row[3] == "" && got != "" ||
			len(e.list) > 1 {
			t.Errorf("%s: got %s, want %q", row[0], got, row[3])
		}
	}
}

func TestMarkLinesOfAddressesThatAreNotHere(t *testing.T) {
	services := servicesOf(t, "virtual=3\n\treal=192.0.2.21:80 gate\n\tservice=http\n\tmark=192.0.2.10 tcp 80\n"+
		"\tmark=192.0.2.11 tcp 80\n"+
		"\tmark=192.0.2.11 udp 80\n\tmark=198.51.100.0/24 tcp 80\n\tmark=192.0.2.0/28 tcp 99\n")
	f := facts{routes: map[routeQuery]route{},
		devices: []device{{prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.10/24")}}}}
	for _, q := range routeQueries(services) {
		f.routes[q] = route{}
	}
	e := newExamination(services, f, "")
	e.of(services[0]).markAddresses()
	const want = "ld.cf:5:7: warning: no interface here has 192.0.2.11, so clients cannot reach it\n" +
		"ld.cf:7:7: warning: no interface here has an address of 198.51.100.0/24, so clients cannot reach it\n"
	testkit.Equal(t, said(&e.findings), want)
}

// Primary is the address that an interface was given first in a network, and those of the loopback interface. The
// address of a service with a full netmask is not primary, nor is a second address in the same network.
func TestPrimaryAddresses(t *testing.T) {
	for list, want := range map[string]string{
		"192.0.2.1/24 192.0.2.10/24 192.0.2.11/32":                   "192.0.2.1",
		"192.0.2.10/32 192.0.2.1/24":                                 "192.0.2.1",
		"192.0.2.10/32":                                              "",
		"127.0.0.1/8 192.0.2.10/32 ::1/128":                          "127.0.0.1 ::1",
		"2001:db8::10/64 2001:db8::1/64 2001:db8::20/128 fe80::1/64": "2001:db8::1",
		"192.0.2.1/24 2001:db8::1/64":                                "192.0.2.1 2001:db8::1",
	} {
		var prefixes []netip.Prefix
		for _, text := range strings.Fields(list) {
			prefixes = append(prefixes, netip.MustParsePrefix(text))
		}
		testkit.Equal(t, strings.Trim(fmt.Sprint(primaryOf(prefixes)), "[]"), want, list)
	}
}

func TestAddressesGivenForATimeArePrimary(t *testing.T) {
	list := []netlink.Addr{
		listed("::1/128", unix.RT_SCOPE_HOST, unix.IFA_F_PERMANENT),
		listed("2001:db8::1/64", unix.RT_SCOPE_UNIVERSE, unix.IFA_F_PERMANENT),
		listed("2001:db8::2/128", unix.RT_SCOPE_UNIVERSE, 0),
		listed("2001:db8::3/64", unix.RT_SCOPE_UNIVERSE, unix.IFA_F_TEMPORARY|unix.IFA_F_DEPRECATED),
		listed("fe80::50d5:11ff:fe3f:15ae/64", unix.RT_SCOPE_LINK, 0),
		{IPNet: &net.IPNet{}},
	}
	testkit.Equal(t, fmt.Sprint(timed(list)), "[2001:db8::2 2001:db8::3]")
}

// A virtual address can be the source of the IPv6 default route, too.
func TestWhenASourceIsTheMachinesOwn(t *testing.T) {
	source := listed("2001:db8::2/128", unix.RT_SCOPE_UNIVERSE, unix.IFA_F_PERMANENT)
	lo, first := listed("::1/128", unix.RT_SCOPE_HOST, 0), listed("2001:db8::1/64", unix.RT_SCOPE_UNIVERSE, 0)
	deprecated, elsewhere := source, first
	deprecated.Flags |= unix.IFA_F_DEPRECATED
	elsewhere.LinkIndex = 9
	for name, row := range map[string]struct {
		list []netlink.Addr
		want bool
	}{
		"alone":                       {[]netlink.Addr{lo, source}, true},
		"beside a primary address":    {[]netlink.Addr{lo, source, first}, false},
		"a primary address, not here": {[]netlink.Addr{lo, source, elsewhere}, true},
		"deprecated":                  {[]netlink.Addr{lo, deprecated}, false},
		"no default route":            {[]netlink.Addr{lo}, false},
	} {
		primary := []netip.Addr{addrOf("::1"), addrOf("2001:db8::1")}
		testkit.Equal(t, isOwn(addrOf("2001:db8::2"), row.list, primary), row.want, name)
	}
}

func listed(cidr string, scope, flags int) netlink.Addr {
	p := netip.MustParsePrefix(cidr)
	return netlink.Addr{IPNet: &net.IPNet{IP: p.Addr().AsSlice()}, Scope: scope, Flags: flags}
}

func TestMarksThatWouldTakeTheMachine(t *testing.T) {
	primary := func() ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}, nil
	}
	for _, row := range testkit.Table(t, "testdata/taken.txt", 3) {
		file := fmt.Sprintf("virtual%s=3\n\tservice=http\n\tmark=%s\n", row[0], row[1])
		got := ""
		for _, d := range judgeMarks(mustParse(t, file), primary) {
			got += fmt.Sprintf("%d:%d %s", d.Pos.Line, d.Pos.Column, d.Text)
		}
		got, _, _ = strings.Cut(got, ",")
		testkit.Equal(t, got, row[2], row[1])
	}
}
