package lvs

import (
	"cmp"
	"fmt"
	"net/netip"
)

// Forward is the forwarding method (linux/ip_vs.h: IP_VS_CONN_F_*).
type Forward uint8

// The forwarding methods.
const (
	Masq   Forward = 0
	Local  Forward = 1 // the director itself; kernels since 2.6.37 detect that and show the requested method
	Tunnel Forward = 2
	Route  Forward = 3 // direct routing
)

// Forwards maps the names that a file may use to forwarding methods.
var Forwards = map[string]Forward{"masq": Masq, "ipip": Tunnel, "gate": Route}

// String returns the name of the method in a file; "" if a file cannot name it.
func (f Forward) String() (name string) {
	for one, method := range Forwards {
		if method == f {
			name = one
		}
	}
	return name
}

// Encapsulation is the kind of tunnel (linux/ip_vs.h: IP_VS_CONN_F_TUNNEL_TYPE_*).
type Encapsulation uint8

// The encapsulations.
const (
	IPIP Encapsulation = 0
	GUE  Encapsulation = 1 // only read, like GRE: a file has only ipip
	GRE  Encapsulation = 2
)

// TunnelFlags are the flags of a GUE or GRE tunnel (linux/ip_vs.h: IP_VS_TUNNEL_ENCAP_FLAG_*).
type TunnelFlags uint16

// These flags choose the checksum of the outer packet. Without a flag, there is no checksum.
const (
	Checksum       TunnelFlags = 1
	RemoteChecksum TunnelFlags = 2
)

// Encap is the encapsulation of packets to a Tunnel destination. The zero Encap means IP in IP.
type Encap struct {
	Type  Encapsulation
	Port  uint16 // the port of the server's GUE socket
	Flags TunnelFlags
}

// Dest is a destination: a real server or a fallback server.
type Dest struct {
	Addr    netip.AddrPort // only a Tunnel destination may be of another family than its service
	Forward Forward
	Weight  uint32 // up to 2147483647; 0 takes no new connections
	Upper   uint32 // connection thresholds, 0 for none; Lower must not exceed Upper
	Lower   uint32
	Encap   Encap // only for Tunnel
}

// Resumes returns the number of connections below which the kernel again sends new clients to a full destination.
func (d Dest) Resumes() uint32 {
	return cmp.Or(d.Lower, uint32((uint64(d.Upper)*3+3)/4))
}

// Full reports whether the kernel sends no new clients to a destination with this number of connections. was means that
// the destination was full before. The rule is that of the kernel's ip_vs_conn.c.
func (d Dest) Full(was bool, connections uint32) bool {
	return d.Upper > 0 && (connections >= d.Upper || was && connections >= d.Resumes())
}

// String returns the destination as ipvsadm adds it: "-r 10.2.0.1:80 -g -w 1".
func (d Dest) String() string {
	forward := " -g" // ipvsadm has no option for Local: with -g the director's own addresses become Local
	switch d.Forward {
	case Masq:
		forward = " -m"
	case Tunnel:
		forward = " -i"
	}
	text := fmt.Sprintf("-r %s%s -w %d", d.Addr, forward, d.Weight)
	if d.Upper != 0 {
		text += fmt.Sprintf(" -x %d", d.Upper)
	}
	if d.Lower != 0 {
		text += fmt.Sprintf(" -y %d", d.Lower)
	}
	return text + d.Encap.text()
}

func (e Encap) text() string {
	text := ""
	switch e.Type {
	case IPIP:
		return ""
	case GUE:
		text = fmt.Sprintf(" --tun-type gue --tun-port %d", e.Port)
	case GRE:
		text = " --tun-type gre"
	default:
		text = fmt.Sprintf(" --tun-type %d", e.Type)
	}
	switch {
	case e.Flags&RemoteChecksum != 0:
		return text + " --tun-remcsum"
	case e.Flags&Checksum != 0:
		return text + " --tun-csum"
	}
	return text + " --tun-nocsum"
}
