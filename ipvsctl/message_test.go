package ipvsctl

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

var packed = []lvs.Dest{
	{Addr: netip.MustParseAddrPort("10.2.0.1:80"), Forward: lvs.Route, Weight: 1},
	{Addr: netip.MustParseAddrPort("10.2.0.1:0"), Forward: lvs.Masq, Weight: 70000, Upper: 100, Lower: 20},
	{Addr: netip.MustParseAddrPort("[fd00:2::1]:65535"), Forward: lvs.Tunnel, Weight: 1<<31 - 1},
	{Addr: netip.MustParseAddrPort("0.0.0.1:1"), Forward: lvs.Tunnel,
		Encap: lvs.Encap{Type: lvs.GUE, Port: 6080, Flags: lvs.RemoteChecksum}},
}

func TestDestinationsSurviveTheirMessage(t *testing.T) {
	for _, want := range packed {
		message := destAttr(want).Serialize()
		for _, serviceIPv6 := range []bool{false, true} {
			got, _, err := parseDest(readAttrs(message)[cmdAttrDest], serviceIPv6)
			testkit.OK(t, err)
			testkit.Equal(t, got, want)
		}
	}
}

func TestServicesSurviveTheirMessage(t *testing.T) {
	for _, line := range []string{"-D -t 10.1.0.1:80", "-D -u [fd00:1::1]:53", "-D -f 7", "-D -f 7 -6"} {
		want := parseOp(t, line).Key
		got := testkit.Must(parseService(readAttrs(keyAttr(want).Serialize())[cmdAttrService]))(t)
		testkit.Equal(t, got.Key, want)
	}
}

// The message about a destination, byte by byte as linux/ip_vs.h defines it.
func TestDestinationMessage(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("written out for amd64, whose bytes go from low to high")
	}
	dest := lvs.Dest{
		Addr: netip.MustParseAddrPort("10.2.0.1:80"), Forward: lvs.Tunnel, Weight: 5, Upper: 100, Lower: 20,
		Encap: lvs.Encap{Type: lvs.GUE, Port: 6080, Flags: lvs.Checksum},
	}
	want := strings.Join([]string{
		"5400 0280",           // IPVS_CMD_ATTR_DEST, nested
		"0800 0100 0a020001",  // address
		"0600 0200 0050 0000", // port, network order
		"0600 0b00 0200 0000", // family
		"0800 0300 02000000",  // forwarding method
		"0800 0400 05000000",  // weight
		"0800 0500 64000000",  // upper threshold
		"0800 0600 14000000",  // lower threshold
		"0500 0d00 01 000000", // tunnel type
		"0600 0e00 17c0 0000", // tunnel port, network order
		"0600 0f00 0100 0000", // tunnel flags
	}, "")
	testkit.Equal(t, hex.EncodeToString(destAttr(dest).Serialize()), strings.ReplaceAll(want, " ", ""))
}

func TestCutMessagesAreErrorsOrLessButNeverPanic(t *testing.T) {
	dest := readAttrs(destAttr(packed[2]).Serialize())[cmdAttrDest]
	for n := range dest {
		if d, _, err := parseDest(dest[:n], true); err == nil && !d.Addr.IsValid() {
			t.Errorf("%d bytes: no address and no error", n)
		}
	}
	service := readAttrs(keyAttr(parseOp(t, "-D -t [fd00:1::1]:80").Key).Serialize())[cmdAttrService]
	for n := range service {
		if s, err := parseService(service[:n]); err == nil && !s.Key.Addr.IsValid() {
			t.Errorf("%d bytes: no address and no error", n)
		}
	}
}

// An attribute may have no value. Those that nobody reads, and what is cut, are left out.
func TestAttributesByTheirKinds(t *testing.T) {
	for message, want := range map[string]string{
		"\x04\x00\x01\x00\x05\x00\x02\x00x\x00\x00\x00\x04\x00\x03\x00":                           "1: 2:x 3: ",
		"\x05\x00\xff\x3fx\x00\x00\x00\x05\x00\x10\x00x\x00\x00\x00\x05\x00\x0f\x00y\x00\x00\x00": "15:y ",
		"": "", "\x00": "", "\x03\x00\x01\x00": "", "\xff\xff\x01\x00": "", "\x05\x00\x01\x00": "",
	} {
		got := ""
		for kind, value := range readAttrs([]byte(message)) {
			if value != nil {
				got += fmt.Sprintf("%d:%s ", kind, value)
			}
		}
		testkit.Equal(t, got, want, message)
	}
}

// Kernels before 3.18 do not report the family of a destination: it is that of the service.
func TestDestinationOfAnOldKernelHasTheFamilyOfItsService(t *testing.T) {
	address := func(b []byte) []byte {
		return append([]byte{byte(4 + len(b)), 0, destAttrAddr, 0}, b...)
	}
	v4 := make([]byte, 16) // an IPv4 address has the room of an IPv6 one
	copy(v4, []byte{10, 2, 0, 1})
	d, _, err := parseDest(address(v4), false)
	if err != nil || d.Addr.Addr() != netip.AddrFrom4([4]byte{10, 2, 0, 1}) {
		t.Errorf("%v, %v", d, err)
	}
	d, _, err = parseDest(address(v4), true)
	if err != nil || !d.Addr.Addr().Is6() {
		t.Errorf("%v, %v", d, err)
	}
}

func TestServiceIsReadWithoutTheKernelsOwnFlag(t *testing.T) {
	message := keyAttr(parseOp(t, "-D -f 7").Key)
	message.AddRtAttr(svcAttrFlags, []byte{byte(lvs.Persistent | flagHashed), 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
	service := testkit.Must(parseService(readAttrs(message.Serialize())[cmdAttrService]))(t)
	testkit.Equal(t, service.Settings.Flags, lvs.Persistent)
}

func TestMaskIsSwappedBetweenOrders(t *testing.T) {
	testkit.Equal(t, swapMask(swapMask(0xffffff00)), 0xffffff00)
}
