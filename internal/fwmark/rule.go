// Package fwmark keeps rules in the mangle table that set the firewall marks of packets (iptables-extensions(8), MARK).
// The rules are in the daemon's own chain, set by iptables. The package also finds rules that other programs made with
// iptables, nft or `ip rule` and that set or use marks.
package fwmark

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"ldirectord/internal/lvs"
)

// wholeMark is the mask of every mark that we set. IPVS looks up a virtual service by all 32 bits of a packet's mark
// (ip_vs_service_find in net/netfilter/ipvs/ip_vs_ctl.c), so no bit of an earlier mark may remain.
const wholeMark = 0xffffffff

// linesOf converts the rules of one family to lines. Of equal lines it keeps only the last, because the last rule that
// matches a packet sets the mark.
func linesOf(rules []lvs.MarkRule, ipv6 bool) (lines []string) {
	for _, r := range rules {
		if r.Dest.Addr().Is6() != ipv6 {
			continue
		}
		for _, ports := range splitPorts(mergePorts(r.Ports)) {
			text := lineOf(lvs.MarkRule{Mark: r.Mark,
				Packets: lvs.Packets{Dest: r.Dest.Masked(), Protocol: r.Protocol, Ports: ports}})
			lines = slices.DeleteFunc(lines, func(earlier string) bool { return earlier == text })
			lines = append(lines, text)
		}
	}
	return lines
}

// lineOf returns a rule as arguments of iptables. Rules with the same meaning have the same line.
func lineOf(l lvs.MarkRule) string {
	var words []string
	if l.Dest.IsValid() && l.Dest.Bits() > 0 {
		words = append(words, "-d", l.Dest.String())
	}
	if l.Protocol != "all" {
		words = append(words, "-p", l.Protocol)
	}
	switch {
	case len(l.Ports) == 1:
		words = append(words, "--dport", l.Ports[0].String())
	case len(l.Ports) > 1:
		words = append(words, "-m", "multiport", "--dports", lvs.List(l.Ports))
	}
	words = append(words, "-j", "MARK", "--set-mark", strconv.FormatUint(uint64(l.Mark), 10))
	return strings.Join(words, " ")
}

// normal returns a rule of `iptables -S` in the form of lineOf. Equal rules then have equal texts, whichever back end
// or version of iptables printed them. It does not change a rule that lineOf can't express.
func normal(rule string) string {
	l, ok := parseLine(words(rule))
	if !ok {
		return rule
	}
	return lineOf(l)
}

// parseLine reads the text after `-A CHAIN`. It returns false if the text has parts that our rules never have.
func parseLine(words []string) (lvs.MarkRule, bool) {
	l := lvs.MarkRule{Packets: lvs.Packets{Protocol: "all"}}
	marks := false
	for len(words) > 1 {
		ok := true
		switch option, value := words[0], words[1]; option {
		case "-d":
			l.Dest, ok = parseDest(value)
		case "-p":
			l.Protocol, ok = protocols[value]
		case "-m":
			ok = slices.Contains([]string{"tcp", "udp", "sctp", "multiport"}, value)
		case "--dport", "--dports":
			l.Ports, ok = parsePorts(value)
		case "-j":
			ok = value == "MARK"
		case "--set-xmark", "--set-mark":
			var mask uint32
			l.Mark, mask, ok = parseMark(value)
			ok, marks = ok && mask == wholeMark, true
		default:
			ok = false
		}
		if !ok {
			return lvs.MarkRule{}, false
		}
		words = words[2:]
	}
	return l, marks && len(words) == 0
}

func parseDest(text string) (netip.Prefix, bool) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	prefix, err := netip.ParsePrefix(text)
	return prefix, err == nil
}

// protocols maps each protocol, as iptables prints it, to its name. iptables prints a number if /etc/protocols has no
// name.
var protocols = map[string]string{"tcp": "tcp", "6": "tcp", "udp": "udp", "17": "udp", "sctp": "sctp", "132": "sctp",
	"all": "all", "0": "all"}

func parsePorts(text string) ([]lvs.Ports, bool) {
	var ports []lvs.Ports
	for word := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(word, ":")
		if !isRange {
			last = first
		}
		a, errA := strconv.ParseUint(first, 10, 16)
		b, errB := strconv.ParseUint(last, 10, 16)
		if errA != nil || errB != nil {
			return nil, false
		}
		ports = append(ports, lvs.Ports{First: uint16(a), Last: uint16(b)})
	}
	return mergePorts(ports), true
}

// parseMark reads VALUE or VALUE/MASK, decimal or hexadecimal. Without MASK, VALUE replaces the whole mark.
func parseMark(text string) (mark, mask uint32, ok bool) {
	value, rest, masked := strings.Cut(text, "/")
	m := uint64(wholeMark)
	v, err := strconv.ParseUint(value, 0, 32)
	if err == nil && masked {
		m, err = strconv.ParseUint(rest, 0, 32)
	}
	return uint32(v), uint32(m), err == nil
}

var (
	word    = regexp.MustCompile(`(?s)(?:\\.|"(?:\\.|[^"\\])*"?|[^ "])+`)
	quoting = regexp.MustCompile(`(?s)\\(.)|"`)
)

// words splits a rule of `iptables -S` into words. iptables quotes words with spaces, and escapes quotes and
// backslashes.
func words(rule string) []string {
	if !strings.ContainsAny(rule, `"\`) { // as in nearly all rules; this is ten times as fast
		return strings.Fields(rule)
	}
	all := word.FindAllString(rule, -1)
	for i := range all {
		all[i] = quoting.ReplaceAllString(all[i], "$1")
	}
	return all
}
