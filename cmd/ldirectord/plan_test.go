package main

import (
	"bufio"
	"net/netip"
	"strings"
	"testing"

	"ldirectord/director"
	"ldirectord/ipvsctl"
	"ldirectord/parser"
)

func TestPlanSaysWhoDrains(t *testing.T) {
	key := func(addr string) ipvsctl.Key {
		return ipvsctl.Key{Protocol: ipvsctl.TCP, Addr: netip.MustParseAddrPort(addr)}
	}
	dest := ipvsctl.Dest{Addr: netip.MustParseAddrPort("10.2.0.1:80"), Forward: ipvsctl.Route}
	var out strings.Builder
	c := &call{out: bufio.NewWriter(&out)}
	printOps(c, []ipvsctl.Op{
		{Kind: ipvsctl.DelDest, Key: key("10.1.0.1:80"), Dest: dest},
		{Kind: ipvsctl.DelDest, Key: key("10.1.0.2:80"), Dest: dest},
		{Kind: ipvsctl.DelDest, Key: key("10.1.0.3:80"), Dest: dest},
	}, []director.Service{
		{Key: key("10.1.0.1:80"), Config: &parser.Virtual{Settings: parser.Settings{DrainTime: 90}}},
		{Key: key("10.1.0.2:80"), Config: &parser.Virtual{}},
	})
	c.out.Flush()
	const want = "-d -t 10.1.0.1:80 -r 10.2.0.1:80   # one that leaves the file at a reload has 1m30s to drain\n" +
		"-d -t 10.1.0.2:80 -r 10.2.0.1:80\n-d -t 10.1.0.3:80 -r 10.2.0.1:80\n"
	if out.String() != want {
		t.Errorf("it says\n%s", out.String())
	}
}
