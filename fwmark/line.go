package fwmark

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// wholeMark is the mask of every mark that we set: IPVS looks a virtual service up by all 32 bits of a
// packet's mark (ip_vs_service_find in net/netfilter/ipvs/ip_vs_ctl.c), so no bit of an earlier mark may stay.
const wholeMark = 0xffffffff

// A line is a rule of a chain that we could have set. Two that mean the same are written the same.
type line struct {
	dest     netip.Prefix // invalid: every address
	protocol Protocol
	ports    []Ports
	mark     uint32
}

// linesOf makes lines of rules of one family. A line that comes twice is set once, at its last place: the later of two
// rules sets the mark.
func linesOf(rules []Rule, ipv6 bool) ([]string, error) {
	var lines []string
	for _, r := range rules {
		if err := r.validate(); err != nil {
			return nil, fmt.Errorf("%s: %w", r, err)
		}
		if r.Dest.Addr().Is6() != ipv6 {
			continue
		}
		for _, ports := range splitPorts(mergePorts(r.Ports)) {
			text := line{r.Dest.Masked(), r.Protocol, ports, r.Mark}.String()
			lines = slices.DeleteFunc(lines, func(earlier string) bool { return earlier == text })
			lines = append(lines, text)
		}
	}
	return lines, nil
}

// String is the line as arguments of iptables.
func (l line) String() string {
	var words []string
	if l.dest.IsValid() && l.dest.Bits() > 0 {
		words = append(words, "-d", l.dest.String())
	}
	if l.protocol != All {
		words = append(words, "-p", string(l.protocol))
	}
	switch {
	case len(l.ports) == 1:
		words = append(words, "--dport", l.ports[0].String())
	case len(l.ports) > 1:
		words = append(words, "-m", "multiport", "--dports", joinPorts(l.ports))
	}
	words = append(words, "-j", "MARK", "--set-mark", strconv.FormatUint(uint64(l.mark), 10))
	return strings.Join(words, " ")
}

// normal is a rule of `iptables -S` in the form of line.String, so that equal rules are equal texts whatever
// back end and version printed them; a rule that is not our rule is as it was printed.
func normal(rule string) string {
	l, ok := parseLine(words(rule))
	if !ok {
		return rule
	}
	return l.String()
}

// parseLine reads what follows `-A CHAIN`. It is not ok if it has something that our rules never have.
func parseLine(words []string) (line, bool) {
	l := line{protocol: All}
	marks := false
	for len(words) > 1 {
		ok := true
		switch option, value := words[0], words[1]; option {
		case "-d":
			l.dest, ok = parseDest(value)
		case "-p":
			l.protocol, ok = parseProtocol(value)
		case "-m":
			ok = slices.Contains([]string{"tcp", "udp", "sctp", "multiport"}, value)
		case "--dport", "--dports":
			l.ports, ok = parsePorts(value)
		case "-j":
			ok = value == "MARK"
		case "--set-xmark", "--set-mark":
			var mask uint32
			l.mark, mask, ok = parseMark(value)
			ok, marks = ok && mask == wholeMark, true
		default:
			ok = false
		}
		if !ok {
			return line{}, false
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

// parseProtocol reads a name, or the number that iptables prints where /etc/protocols has no name for it.
func parseProtocol(text string) (Protocol, bool) {
	switch text {
	case "tcp", "6":
		return TCP, true
	case "udp", "17":
		return UDP, true
	case "sctp", "132":
		return SCTP, true
	case "all", "0":
		return All, true
	}
	return "", false
}

func parsePorts(text string) ([]Ports, bool) {
	var ports []Ports
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
		ports = append(ports, Ports{uint16(a), uint16(b)})
	}
	return mergePorts(ports), true
}

// parseMark reads VALUE or VALUE/MASK, decimal or hexadecimal; without a mask it is the whole mark.
func parseMark(text string) (mark, mask uint32, ok bool) {
	value, rest, masked := strings.Cut(text, "/")
	m := uint64(wholeMark)
	v, err := strconv.ParseUint(value, 0, 32)
	if err == nil && masked {
		m, err = strconv.ParseUint(rest, 0, 32)
	}
	return uint32(v), uint32(m), err == nil
}

// words splits a rule of `iptables -S`, which quotes what has spaces and escapes quotes and backslashes.
func words(rule string) []string {
	var (
		all             []string
		word            strings.Builder
		inWord, inQuote bool
	)
	for i := 0; i < len(rule); i++ {
		switch c := rule[i]; {
		case c == '\\' && i+1 < len(rule):
			i++
			word.WriteByte(rule[i])
		case c == '"':
			inQuote, inWord = !inQuote, true
		case c == ' ' && !inQuote:
			if inWord {
				all = append(all, word.String())
			}
			word.Reset()
			inWord = false
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if inWord {
		all = append(all, word.String())
	}
	return all
}
