package ipvsctl

import (
	"encoding/binary"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Format writes the table as "ipvsadm -Sn" does, in its order, and as "ipvsadm -R" reads it: a line for
// each service, followed by one for each of its destinations. Unlike ipvsadm it also names thresholds.
func Format(t Table) string {
	var b []byte
	for _, key := range t.Keys() {
		service := t[key]
		b = append(b, Op{Kind: AddService, Key: key, Settings: service.Settings}.String()...)
		b = append(b, '\n')
		for _, addr := range slices.SortedFunc(maps.Keys(service.Dests), netip.AddrPort.Compare) {
			b = append(b, Op{Kind: AddDest, Key: key, Dest: service.Dests[addr]}.String()...)
			b = append(b, '\n')
		}
	}
	return string(b)
}

// opOptions are ipvsadm's names of the operations.
var opOptions = [...]string{
	AddService: "-A", EditService: "-E", DelService: "-D",
	AddDest: "-a", EditDest: "-e", DelDest: "-d",
}

// String is the change as arguments of ipvsadm: "-a -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 1".
func (op Op) String() string {
	if int(op.Kind) >= len(opOptions) {
		return "unknown operation " + strconv.Itoa(int(op.Kind))
	}
	b := append(make([]byte, 0, 96), opOptions[op.Kind]...)
	b = append(b, ' ')
	b = op.Key.append(b)
	switch op.Kind {
	case AddService, EditService:
		b = append(b, ' ')
		b = op.Settings.append(b, op.Key.IPv6)
	case AddDest, EditDest:
		b = append(b, ' ')
		b = op.Dest.append(b)
	case DelDest:
		b = append(b, " -r "...)
		b = op.Dest.Addr.AppendTo(b)
	}
	return string(b)
}

// appendNumber appends an option with its number.
func appendNumber[N ~uint8 | ~uint16 | ~uint32](b []byte, option string, n N) []byte {
	return strconv.AppendUint(append(b, option...), uint64(n), 10)
}

// String is the key as arguments of ipvsadm: "-t 10.1.0.1:80", "-f 7", "-f 7 -6".
func (k Key) String() string { return string(k.append(nil)) }

func (k Key) append(b []byte) []byte {
	switch k.Protocol {
	case Mark:
		b = appendNumber(b, "-f ", k.Mark)
		if k.IPv6 {
			b = append(b, " -6"...)
		}
		return b
	case TCP:
		b = append(b, "-t "...)
	case UDP:
		b = append(b, "-u "...)
	case SCTP:
		b = append(b, "--sctp-service "...)
	default:
		b = appendNumber(b, "protocol ", k.Protocol)
		b = append(b, ' ')
	}
	return k.Addr.AppendTo(b)
}

// String is the service as ipvsadm adds it: "-t 10.1.0.1:80 -s wrr -p 600".
func (s Service) String() string {
	b := append(s.Key.append(nil), ' ')
	return string(s.Settings.append(b, s.Key.IPv6))
}

func (s Settings) append(b []byte, ipv6 bool) []byte {
	b = append(b, "-s "...)
	b = append(b, s.Scheduler...)
	if s.Flags&Persistent != 0 {
		b = appendNumber(b, " -p ", s.Timeout)
		b = appendNetmask(b, s.Netmask, ipv6)
	}
	if s.PEName != "" {
		b = append(b, " --pe "...)
		b = append(b, s.PEName...)
	}
	if s.Flags&OnePacket != 0 {
		b = append(b, " -o"...)
	}
	if names := schedFlagNames(s.Scheduler, s.Flags); len(names) > 0 {
		b = append(b, " -b "...)
		b = append(b, strings.Join(names, ",")...)
	}
	return b
}

func appendNetmask(b []byte, mask uint32, ipv6 bool) []byte {
	if mask == EachClient(ipv6) {
		return b
	}
	b = append(b, " -M "...)
	if ipv6 {
		return strconv.AppendUint(b, uint64(mask), 10)
	}
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, mask))).AppendTo(b)
}

// String is the destination as ipvsadm adds it: "-r 10.2.0.1:80 -g -w 1".
func (d Dest) String() string { return string(d.append(nil)) }

func (d Dest) append(b []byte) []byte {
	b = append(b, "-r "...)
	b = d.Addr.AppendTo(b)
	switch d.Forward {
	case Masq:
		b = append(b, " -m"...)
	case Tunnel:
		b = append(b, " -i"...)
	default: // ipvsadm has no option for Local: it is what -g makes of the director's own addresses
		b = append(b, " -g"...)
	}
	b = appendNumber(b, " -w ", d.Weight)
	if d.Upper != 0 {
		b = appendNumber(b, " -x ", d.Upper)
	}
	if d.Lower != 0 {
		b = appendNumber(b, " -y ", d.Lower)
	}
	return d.Encap.append(b)
}

func (e Encap) append(b []byte) []byte {
	switch e.Type {
	case IPIP:
		return b
	case GUE:
		b = appendNumber(b, " --tun-type gue --tun-port ", e.Port)
	case GRE:
		b = append(b, " --tun-type gre"...)
	default:
		b = appendNumber(b, " --tun-type ", e.Type)
	}
	switch {
	case e.Flags&RemoteChecksum != 0:
		return append(b, " --tun-remcsum"...)
	case e.Flags&Checksum != 0:
		return append(b, " --tun-csum"...)
	default:
		return append(b, " --tun-nocsum"...)
	}
}
