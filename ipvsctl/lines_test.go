package ipvsctl

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// parseOp reads a change in the arguments of ipvsadm, as Op.String writes it.
func parseOp(t testing.TB, line string) lvs.Op {
	t.Helper()
	words := strings.Fields(line)
	kind := slices.Index([]string{"-A", "-E", "-D", "-a", "-e", "-d"}, words[0]) // in the order of lvs.OpKind
	op := lvs.Op{Kind: lvs.OpKind(kind), Key: lvs.Key{Protocol: lvs.Mark}}
	key, settings, dest := &op.Key, &op.Settings, &op.Dest
	f := pflag.NewFlagSet(line, pflag.ContinueOnError)
	for protocol, name := range map[lvs.Protocol]string{lvs.TCP: "tcp", lvs.UDP: "udp", lvs.SCTP: "sctp"} {
		short := map[lvs.Protocol]string{lvs.TCP: "t", lvs.UDP: "u"}[protocol]
		f.FuncP(name+"-service", short, "", func(word string) error {
			key.Protocol, key.Addr = protocol, netip.MustParseAddrPort(word)
			key.IPv6 = key.Addr.Addr().Is6()
			return nil
		})
	}
	f.Uint32VarP(&key.Mark, "fwmark-service", "f", 0, "")
	f.BoolVarP(&key.IPv6, "ipv6", "6", false, "")
	f.StringVarP(&settings.Scheduler, "scheduler", "s", "", "")
	f.Uint32VarP(&settings.Timeout, "persistent", "p", 0, "")
	mask := f.StringP("netmask", "M", "", "")
	f.StringVar(&settings.PEName, "pe", "", "")
	f.BoolP("ops", "o", false, "")
	schedFlags := f.StringP("sched-flags", "b", "", "")
	f.TextVarP(&dest.Addr, "real-server", "r", netip.AddrPort{}, "")
	for i, name := range []string{"masquerading", "", "ipip", "gatewaying"} { // in the order of lvs.Forward
		if name != "" {
			method := lvs.Forward(i)
			f.BoolFuncP(name, name[:1], "", func(string) error { dest.Forward = method; return nil })
		}
	}
	f.Uint32VarP(&dest.Weight, "weight", "w", 0, "")
	f.Uint32VarP(&dest.Upper, "u-threshold", "x", 0, "")
	f.Uint32VarP(&dest.Lower, "l-threshold", "y", 0, "")
	tunnel := f.String("tun-type", "ipip", "")
	f.Uint16Var(&dest.Encap.Port, "tun-port", 0, "")
	for i, name := range []string{"tun-nocsum", "tun-csum", "tun-remcsum"} { // in the order of lvs.TunnelFlags
		f.BoolFunc(name, "", func(string) error { dest.Encap.Flags = lvs.TunnelFlags(i); return nil })
	}
	testkit.OK(t, f.Parse(words[1:]), line)
	if kind < 0 || f.NArg() > 0 {
		t.Fatalf("%s: what does it do?", line)
	}
	dest.Encap.Type = map[string]lvs.Encapsulation{"gue": lvs.GUE, "gre": lvs.GRE}[*tunnel]
	settings.Flags = testkit.Must(lvs.ParseSchedFlags(settings.Scheduler, *schedFlags))(t, line)
	if f.Changed("ops") {
		settings.Flags |= lvs.OnePacket
	}
	if f.Changed("persistent") {
		settings.Flags |= lvs.Persistent
		settings.Netmask = maskOf(t, *mask, key.IPv6)
	}
	return op
}

// maskOf reads the granularity of persistence.
func maskOf(t testing.TB, text string, ipv6 bool) uint32 {
	t.Helper()
	switch {
	case text == "":
		return lvs.EachClient(ipv6)
	case ipv6:
		return uint32(testkit.Must(strconv.Atoi(text))(t))
	}
	a := testkit.Must(netip.ParseAddr(text))(t).As4()
	return binary.BigEndian.Uint32(a[:])
}

func parseOps(t testing.TB, lines ...string) []lvs.Op {
	t.Helper()
	var ops []lvs.Op
	for _, line := range lines {
		ops = append(ops, parseOp(t, line))
	}
	return ops
}

// tableOf is the table after the changes in lines.
func tableOf(t testing.TB, lines ...string) lvs.Table {
	t.Helper()
	m := NewMemory(nil)
	return apply(t, m, parseOps(t, lines...)...)
}

// apply makes changes that must succeed and returns the table then.
func apply(t testing.TB, c Client, ops ...lvs.Op) lvs.Table {
	t.Helper()
	do(t, c, ops...)
	return testkit.Must(c.Read(context.Background()))(t)
}

// do makes changes that must succeed.
func do(t testing.TB, c Client, ops ...lvs.Op) {
	t.Helper()
	testkit.OK(t, errors.Join(c.Do(context.Background(), ops...)...))
}

func linesOf(ops []lvs.Op) []string {
	var lines []string
	for _, op := range ops {
		lines = append(lines, op.String())
	}
	return lines
}
