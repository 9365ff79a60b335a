package lvs

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
)

// Format writes the table in the form and order of "ipvsadm -Sn", which "ipvsadm -R" reads: a line for each service,
// followed by one for each of its destinations. Unlike ipvsadm, it also writes the connection thresholds.
func Format(t Table) string {
	var b strings.Builder
	for _, key := range t.Keys() {
		service := t[key]
		b.WriteString(Op{Kind: AddService, Key: key, Settings: service.Settings}.String() + "\n")
		for _, dest := range service.Dests {
			b.WriteString(Op{Kind: AddDest, Key: key, Dest: dest}.String() + "\n")
		}
	}
	return b.String()
}

// opOptions lists ipvsadm's options for the operations.
var opOptions = [...]string{
	AddService: "-A", EditService: "-E", DelService: "-D",
	AddDest: "-a", EditDest: "-e", DelDest: "-d",
}

// String returns the change as arguments of ipvsadm: "-a -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 1".
func (op Op) String() string {
	if int(op.Kind) >= len(opOptions) {
		return fmt.Sprintf("unknown operation %d", op.Kind)
	}
	text := opOptions[op.Kind] + " " + op.Key.String()
	switch op.Kind {
	case AddService, EditService:
		return text + " " + op.Settings.text(op.Key.IPv6)
	case AddDest, EditDest:
		return text + " " + op.Dest.String()
	case DelDest:
		return text + " -r " + op.Dest.Addr.String()
	}
	return text
}

// String returns the service as ipvsadm adds it: "-t 10.1.0.1:80 -s wrr -p 600".
func (s VirtualService) String() string { return s.Key.String() + " " + s.Settings.text(s.Key.IPv6) }

func (s Settings) text(ipv6 bool) string {
	text := "-s " + s.Scheduler
	if s.Flags&Persistent != 0 {
		text += fmt.Sprintf(" -p %d", s.Timeout) + netmaskText(s.Netmask, ipv6)
	}
	if s.PEName != "" {
		text += " --pe " + s.PEName
	}
	if s.Flags&OnePacket != 0 {
		text += " -o"
	}
	if names := schedFlagNames(s.Scheduler, s.Flags); len(names) > 0 {
		text += " -b " + strings.Join(names, ",")
	}
	return text
}

func netmaskText(mask uint32, ipv6 bool) string {
	switch {
	case mask == EachClient(ipv6):
		return ""
	case ipv6:
		return fmt.Sprintf(" -M %d", mask)
	}
	return " -M " + netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, mask))).String()
}
