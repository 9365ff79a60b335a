package ipvsctl

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// parseOp reads a change in the arguments of ipvsadm, as Op.String writes it.
func parseOp(t testing.TB, line string) lvs.Op {
	t.Helper()
	p := &opParser{t: t, line: line, words: strings.Fields(line)}
	kind := slices.Index([]string{"-A", "-E", "-D", "-a", "-e", "-d"}, p.next()) // in the order of lvs.OpKind
	if kind < 0 {
		t.Fatalf("%s: no operation", line)
	}
	p.op.Kind = lvs.OpKind(kind)
	for len(p.words) > 0 {
		p.option(p.next())
	}
	if p.op.Key.IPv6 {
		p.ipv6Mask()
	}
	return p.op
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

type opParser struct {
	t     testing.TB
	line  string
	words []string
	op    lvs.Op
	mask  string
}

func (p *opParser) next() string {
	p.t.Helper()
	if len(p.words) == 0 {
		p.t.Fatalf("%s: it ends too early", p.line)
	}
	word := p.words[0]
	p.words = p.words[1:]
	return word
}

func (p *opParser) number() uint32 {
	p.t.Helper()
	n := testkit.Must(strconv.ParseUint(p.next(), 10, 32))(p.t, p.line)
	return uint32(n)
}

func (p *opParser) addr() netip.AddrPort {
	p.t.Helper()
	return testkit.Must(netip.ParseAddrPort(p.next()))(p.t, p.line)
}

func (p *opParser) service(protocol lvs.Protocol) {
	p.t.Helper()
	addr := p.addr()
	p.op.Key = lvs.Key{Protocol: protocol, Addr: addr, IPv6: addr.Addr().Is6()}
}

func (p *opParser) option(name string) {
	p.t.Helper()
	settings, dest := &p.op.Settings, &p.op.Dest
	switch name {
	case "-t":
		p.service(lvs.TCP)
	case "-u":
		p.service(lvs.UDP)
	case "--sctp-service":
		p.service(lvs.SCTP)
	case "-f":
		p.op.Key = lvs.Key{Protocol: lvs.Mark, Mark: p.number()}
	case "-6":
		p.op.Key.IPv6 = true
	case "-s":
		settings.Scheduler = p.next()
	case "-p":
		settings.Flags |= lvs.Persistent
		settings.Timeout, settings.Netmask = p.number(), lvs.EachClient(false)
	case "-M":
		p.mask = p.next()
		if a, err := netip.ParseAddr(p.mask); err == nil {
			b := a.As4()
			settings.Netmask = uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
		}
	case "-o":
		settings.Flags |= lvs.OnePacket
	case "-b":
		flags := testkit.Must(lvs.ParseSchedFlags(settings.Scheduler, p.next()))(p.t, p.line)
		settings.Flags |= flags
	case "--pe":
		settings.PEName = p.next()
	case "-r":
		dest.Addr = p.addr()
	case "-m":
		dest.Forward = lvs.Masq
	case "-i":
		dest.Forward = lvs.Tunnel
	case "-g":
		dest.Forward = lvs.Route
	case "-w":
		dest.Weight = p.number()
	case "-x":
		dest.Upper = p.number()
	case "-y":
		dest.Lower = p.number()
	case "--tun-type":
		dest.Encap.Type = map[string]lvs.Encapsulation{"ipip": lvs.IPIP, "gue": lvs.GUE,
			"gre": lvs.GRE}[p.next()]
	case "--tun-port":
		dest.Encap.Port = uint16(p.number())
	case "--tun-csum":
		dest.Encap.Flags = lvs.Checksum
	case "--tun-remcsum":
		dest.Encap.Flags = lvs.RemoteChecksum
	case "--tun-nocsum":
	default:
		p.t.Fatalf("%s: unknown option %s", p.line, name)
	}
}

// ipv6Mask reads the netmask again when the address family is known.
func (p *opParser) ipv6Mask() {
	if p.op.Settings.Flags&lvs.Persistent == 0 {
		return
	}
	p.op.Settings.Netmask = lvs.EachClient(true)
	if n, err := strconv.ParseUint(p.mask, 10, 32); err == nil {
		p.op.Settings.Netmask = uint32(n)
	}
}
