package ipvsctl

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"ldirectord/internal/lvs"
)

// Connection is an entry of the kernel's table of connections (/proc/net/ip_vs_conn): a connection, or a template that
// sends later connections of a client to the same server.
type Connection struct {
	Protocol   lvs.Protocol   // 0 in the template of a mark service
	Client     netip.AddrPort // in a template: port 0, and the address masked by the granularity
	Virtual    netip.AddrPort // the address that the client uses; see Mark for the template of a mark service
	Dest       netip.AddrPort // the server that answers
	State      string         // as the kernel names it: ESTABLISHED, UDP, NONE, ASSURED
	Expires    time.Duration  // the time left, in whole seconds
	Engine     string         // persistence engine of a template; "" for none
	EngineData string         // the engine's key of the client; any bytes, because they come from the network
}

// Template reports whether c is a template. The client port is 0 in templates. In other entries it is 0 only for FTP
// data connections whose port is not known yet; their state is LISTEN.
func (c Connection) Template() bool { return c.Client.Port() == 0 && c.State != "LISTEN" }

// Mark returns the mark in the template of a mark service. Such a template contains the mark instead of an address. For
// any other entry it returns 0.
func (c Connection) Mark() uint32 {
	if c.Protocol != lvs.Mark || !c.Template() {
		return 0
	}
	return binary.BigEndian.Uint32(c.Virtual.Addr().AsSlice())
}

// connectionsFile shows the table of the network namespace of the thread that opens it.
const connectionsFile = "/proc/thread-self/net/ip_vs_conn"

// maxLine is the maximum length of a line, in bytes. A line of the kernel has up to 160 bytes, and the data of a
// persistence engine adds up to 255 (linux/ip_vs.h: IP_VS_PEDATA_MAXLEN).
const maxLine = 1024

// EachConnection calls f for each entry of the kernel's table of connections, until f fails. It returns the number of
// lines that could not be parsed. It never holds the whole table in memory. Entries that change meanwhile may be
// missing or appear twice.
func EachConnection(ctx context.Context, f func(Connection) error) (skipped int, err error) {
	file, err := os.Open(connectionsFile)
	if err != nil {
		failed := &OpError{Op: "connections", Err: err}
		if errors.Is(err, fs.ErrNotExist) {
			failed.Hint = "is the module ip_vs loaded?"
		}
		return 0, failed
	}
	defer file.Close()
	return readConnections(ctx, file, f)
}

func readConnections(ctx context.Context, r io.Reader, f func(Connection) error) (skipped int, err error) {
	lines := bufio.NewReaderSize(r, 64*maxLine)
	for first := true; ; first = false {
		line, err := readLine(lines)
		if err == io.EOF {
			return skipped, nil
		}
		if err := cmp.Or(err, ctx.Err()); err != nil {
			return skipped, &OpError{Op: "connections", Err: err}
		}
		c, ok := parseConnection(line)
		switch {
		case ok:
			if err := f(c); err != nil {
				return skipped, err
			}
		case first && bytes.HasPrefix(line, []byte("Pro ")): // the names of the columns
		default:
			skipped++
		}
	}
}

// readLine returns the next line. The next call overwrites it. For a line that is too long or has no newline, it
// returns nil. At the end of the file it fails with io.EOF.
func readLine(r *bufio.Reader) (line []byte, err error) {
	line, err = r.ReadSlice('\n')
	short := err == nil && len(line) <= maxLine
	for err == bufio.ErrBufferFull {
		_, err = r.ReadSlice('\n')
	}
	switch {
	case short:
		return line[:len(line)-1], nil
	case err == io.EOF && len(line) > 0:
		return nil, nil
	default:
		return nil, err
	}
}

// parseConnection parses a line. A line has a protocol, three addresses with ports in hexadecimal, the state, and the
// seconds. The name of a persistence engine and its data may follow, each after a space.
func parseConnection(line []byte) (c Connection, ok bool) {
	var words [9]string
	rest := string(line)
	for i := range words {
		words[i], rest, _ = strings.Cut(strings.TrimLeft(rest, " "), " ")
	}
	var errs [5]error
	c.Protocol, errs[0] = parseProtocol(words[0])
	for i, to := range []*netip.AddrPort{&c.Client, &c.Virtual, &c.Dest} {
		*to, errs[1+i] = parseHex(words[1+2*i], words[2+2*i])
	}
	seconds, err := strconv.ParseUint(words[8], 10, 32)
	c.State, c.Expires, errs[4] = words[7], time.Duration(seconds)*time.Second, err
	c.Engine, c.EngineData, _ = strings.Cut(rest, " ")
	sameFamily := c.Client.Addr().Is4() == c.Virtual.Addr().Is4() // the destination's family may differ (tunnel)
	return c, sameFamily && c.State != "" && errs == [5]error{}
}

// parseProtocol parses the name of a protocol as the kernel's ip_vs_proto_name prints it. The name is in protocols or
// has the form IP_47.
func parseProtocol(name string) (lvs.Protocol, error) {
	if p, ok := protocols[name]; ok {
		return p, nil
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(name, "IP_"), 10, 8)
	return lvs.Protocol(n), err
}

var protocols = map[string]lvs.Protocol{"IP": lvs.Mark, "TCP": lvs.TCP, "UDP": lvs.UDP, "SCTP": lvs.SCTP, "ICMP": 1,
	"ICMPv6": 58}

// parseHex parses an address and a port in hexadecimal. The address has the form C000020A (IPv4), or eight groups of
// four digits with colons (IPv6).
func parseHex(addr, port string) (netip.AddrPort, error) {
	p, noPort := strconv.ParseUint(port, 16, 16)
	if n, err := strconv.ParseUint(addr, 16, 32); err == nil && len(addr) == 8 {
		four := [4]byte(binary.BigEndian.AppendUint32(nil, uint32(n)))
		return netip.AddrPortFrom(netip.AddrFrom4(four), uint16(p)), noPort
	}
	a, noAddr := netip.ParseAddr(addr)
	return netip.AddrPortFrom(a, uint16(p)), cmp.Or(noAddr, noPort)
}
