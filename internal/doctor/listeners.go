package doctor

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"strings"
)

// listeners contains the addresses of this machine's listening TCP sockets.
type listeners map[netip.AddrPort]bool

// accepts reports whether a connection to an address of this machine would be accepted. A socket on :: is assumed to
// accept IPv4 too. Most do, and /proc does not show the exceptions.
func (l listeners) accepts(to netip.AddrPort) bool {
	every4 := netip.AddrPortFrom(netip.IPv4Unspecified(), to.Port())
	every6 := netip.AddrPortFrom(netip.IPv6Unspecified(), to.Port())
	return l[to] || l[every6] || to.Addr().Is4() && l[every4]
}

// maxSockets is the maximum number of sockets that are read.
const maxSockets = 1 << 20

func (l listeners) add(from, _ netip.AddrPort) { l[from] = true }

// eachSocket calls do for each TCP socket with the given state in the thread's network namespace. It reads net/tcp and
// net/tcp6 in /proc/thread-self (proc_pid_net(5)).
func eachSocket(state string, do func(from, to netip.AddrPort)) error {
	for _, name := range []string{"tcp", "tcp6"} {
		f, err := os.Open("/proc/thread-self/net/" + name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a kernel without IPv6
		}
		if err == nil {
			err = readSockets(f, state, do)
			f.Close()
		}
		if err != nil {
			return fmt.Errorf("reading the sockets: %w", err)
		}
	}
	return nil
}

// States of net/tcp_states.h.
const (
	stateListen      = "0A"
	stateEstablished = "01"
)

func readSockets(r io.Reader, state string, do func(from, to netip.AddrPort)) error {
	lines, part := bufio.NewScanner(r), []byte(" "+state)
	for n := 0; lines.Scan(); n++ {
		if n == maxSockets {
			return fmt.Errorf("more than %d", maxSockets)
		}
		if !bytes.Contains(lines.Bytes(), part) { // a quick test, because many sockets may be in another state
			continue
		}
		words := strings.Fields(lines.Text())
		if len(words) < 4 || words[3] != state {
			continue
		}
		from, ok := parseSocket(words[1])
		to, _ := parseSocket(words[2])
		if ok {
			do(from, to)
		}
	}
	return lines.Err()
}

// parseSocket parses an address and port such as 0100007F:0050. The address consists of 32-bit words, each in the
// machine's byte order.
func parseSocket(word string) (netip.AddrPort, bool) {
	var address []byte
	var port uint16
	if _, err := fmt.Sscanf(word, "%X:%X", &address, &port); err != nil || len(address)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(address); i += 4 {
		binary.BigEndian.PutUint32(address[i:], binary.NativeEndian.Uint32(address[i:]))
	}
	addr, ok := netip.AddrFromSlice(address)
	return netip.AddrPortFrom(addr.Unmap(), port), ok
}
