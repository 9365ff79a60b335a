package ipvsctl

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"time"

	"ldirectord/lvs"
)

// Connection is an entry of the kernel's table of connections (/proc/net/ip_vs_conn): one connection, or the
// template that sends a client to the same server again.
type Connection struct {
	Protocol   lvs.Protocol   // 0 in the template of a mark service
	Client     netip.AddrPort // in a template: port 0, and the address as the granularity masks it
	Virtual    netip.AddrPort // what the client asked; see Mark for the template of a mark service
	Dest       netip.AddrPort // who answers
	State      string         // as the kernel names it: ESTABLISHED, UDP, NONE, ASSURED
	Expires    time.Duration  // whole seconds
	Engine     string         // persistence engine of a template, "" for none
	EngineData string         // what the engine knows its client by; any bytes: they come from the network
}

// Template reports whether c is a template. Only those have no port of the client, but for a data connection of
// FTP whose port is not known yet.
func (c Connection) Template() bool { return c.Client.Port() == 0 && c.State != "LISTEN" }

// Mark is the mark of a mark service's template, which replaces the address; 0 in any other entry.
func (c Connection) Mark() uint32 {
	if c.Protocol != lvs.Mark || !c.Template() {
		return 0
	}
	return binary.BigEndian.Uint32(c.Virtual.Addr().AsSlice())
}

// connectionsFile is the table of the namespace of the thread that opens it.
const connectionsFile = "/proc/thread-self/net/ip_vs_conn"

// maxLine bounds a line, in bytes. The kernel's are up to 160 bytes, and an engine's data adds up to 255
// (linux/ip_vs.h: IP_VS_PEDATA_MAXLEN).
const maxLine = 1024

// EachConnection calls f for each entry of the kernel's table of connections, until f fails, and says how many
// lines were no entry. The table goes by in parts of the kernel's size and is never held as a whole; entries
// that come and go meanwhile may be missing or come twice.
func EachConnection(ctx context.Context, f func(Connection) error) (skipped int, err error) {
	file, err := os.Open(connectionsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, &OpError{Op: "connections", Err: err, Hint: "is the module ip_vs loaded?"}
	}
	if err != nil {
		return 0, &OpError{Op: "connections", Err: err}
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
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
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

// readLine returns the next line, which the next call overwrites; nil for one that is too long, or cut off by
// the end. At the end it fails with io.EOF.
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

// parseConnection reads a line: protocol, three addresses and ports in hexadecimal, state, seconds, and
// after a space each an engine and its data, if there is one.
func parseConnection(line []byte) (c Connection, ok bool) {
	w := words{rest: line}
	c.Protocol = w.protocol()
	c.Client, c.Virtual, c.Dest = w.addrPort(), w.addrPort(), w.addrPort()
	c.State = string(w.next())
	c.Expires = w.seconds()
	if engine, data, has := bytes.Cut(w.rest, []byte(" ")); has && len(engine) == 0 {
		engine, data, _ = bytes.Cut(data, []byte(" "))
		c.Engine, c.EngineData = string(engine), string(data)
	}
	sameFamily := c.Client.Addr().Is4() == c.Virtual.Addr().Is4() // the destination's may be the other (tunnel)
	return c, !w.bad && sameFamily && c.State != ""
}

// words takes a line apart; bad is set once something in it was not as it must be.
type words struct {
	rest []byte
	bad  bool
}

func (w *words) next() []byte {
	w.rest = bytes.TrimLeft(w.rest, " ")
	end := bytes.IndexByte(w.rest, ' ')
	if end < 0 {
		end = len(w.rest)
	}
	word := w.rest[:end]
	w.rest = w.rest[end:]
	return word
}

// protocol reads a name of the kernel's ip_vs_proto_name: one of those below, or IP_47.
func (w *words) protocol() lvs.Protocol {
	name := w.next()
	if p, ok := protocols[string(name)]; ok {
		return p
	}
	number, ok := bytes.CutPrefix(name, []byte("IP_"))
	n, err := strconv.ParseUint(string(number), 10, 8)
	if !ok || err != nil {
		w.bad = true
	}
	return lvs.Protocol(n)
}

var protocols = map[string]lvs.Protocol{"IP": lvs.Mark, "TCP": lvs.TCP, "UDP": lvs.UDP, "SCTP": lvs.SCTP, "ICMP": 1,
	"ICMPv6": 58}

func (w *words) addrPort() netip.AddrPort {
	addr := w.addr()
	var port [2]byte
	if word := w.next(); len(word) != 4 || !unhex(port[:], word) {
		w.bad = true
	}
	return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(port[:]))
}

// addr reads C000020A, or eight groups of four digits with colons.
func (w *words) addr() netip.Addr {
	word := w.next()
	var four [4]byte
	if len(word) == 8 && unhex(four[:], word) {
		return netip.AddrFrom4(four)
	}
	var sixteen [16]byte
	if len(word) != 39 {
		w.bad = true
		return netip.Addr{}
	}
	for i := range 8 {
		group := word[i*5:]
		if !unhex(sixteen[i*2:i*2+2], group[:4]) || i < 7 && group[4] != ':' {
			w.bad = true
		}
	}
	return netip.AddrFrom16(sixteen)
}

func unhex(to, from []byte) bool {
	_, err := hex.Decode(to, from)
	return err == nil
}

func (w *words) seconds() time.Duration {
	n, err := strconv.ParseUint(string(w.next()), 10, 32)
	if err != nil {
		w.bad = true
	}
	return time.Duration(n) * time.Second
}
