//go:build linux

package ipvsctl

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// The commands of linux/ip_vs.h (IPVS_CMD_*).
const (
	cmdGetService = 4
	cmdNewDest    = 5
	cmdSetDest    = 6
	cmdDelDest    = 7
	cmdGetDest    = 8
)

// The numbers of linux/genetlink.h.
const (
	ctrlFamily         = 0x10
	ctrlCmdGetFamily   = 3
	ctrlAttrFamilyID   = 1
	ctrlAttrFamilyName = 2
)

var errNoAnswer = fmt.Errorf("no answer from the kernel: %w", context.DeadlineExceeded)

// genlHeader begins every message of generic netlink.
type genlHeader struct{ cmd uint8 }

const genlHeaderLen = 4

func (h genlHeader) Len() int          { return genlHeaderLen }
func (h genlHeader) Serialize() []byte { return []byte{h.cmd, 1, 0, 0} }

// genl is a socket for what moby/ipvs gets wrong or leaves out: it does not know the family of a destination,
// tunnels and persistence engines, and reads a weight as 16 bits. It is not for several goroutines at once.
type genl struct {
	socket *nl.SocketHandle
	family int
}

// openGenl opens the socket. Timeout is how long each answer is waited for. The family is not looked up yet.
func openGenl(timeout time.Duration) (*genl, error) {
	socket, err := nl.GetNetlinkSocketAt(netns.None(), netns.None(), unix.NETLINK_GENERIC)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	limit := unix.NsecToTimeval(timeout.Nanoseconds())
	if err := errors.Join(socket.SetSendTimeout(&limit), socket.SetReceiveTimeout(&limit)); err != nil {
		socket.Close()
		return nil, fmt.Errorf("set the time limit of a netlink socket: %w", err)
	}
	return &genl{socket: &nl.SocketHandle{Socket: socket}}, nil
}

func (g *genl) close() { g.socket.Close() }

// lookup finds the number of IPVS among the families; ENOENT when the kernel has none.
func (g *genl) lookup() error {
	request := g.request(ctrlFamily, ctrlCmdGetFamily, 0)
	request.AddData(nl.NewRtAttr(ctrlAttrFamilyName, nl.ZeroTerminated("IPVS")))
	g.family = 0
	err := g.execute(request, func(message []byte) error {
		for kind, value := range attrs(message) {
			if kind == ctrlAttrFamilyID {
				g.family = int(num16(value))
			}
		}
		return nil
	})
	if err == nil && g.family == 0 {
		err = errors.New("an answer without a family")
	}
	return err
}

// services calls f for each service, without destinations.
func (g *genl) services(f func(Service) error) error {
	request := g.request(g.family, cmdGetService, unix.NLM_F_DUMP)
	return g.execute(request, func(message []byte) error {
		service, err := parseService(nested(message, cmdAttrService))
		if err != nil {
			return err
		}
		return f(service)
	})
}

// dests calls f for each destination of a service; never when it is not there.
func (g *genl) dests(key Key, f func(Dest, Counters)) error {
	request := g.request(g.family, cmdGetDest, unix.NLM_F_DUMP)
	request.AddData(serviceAttr(key))
	return g.execute(request, func(message []byte) error {
		dest, counters, err := parseDest(nested(message, cmdAttrDest), key.IPv6)
		if err == nil {
			f(dest, counters)
		}
		return err
	})
}

// changeDest adds, edits or deletes a destination.
func (g *genl) changeDest(cmd uint8, key Key, dest Dest) error {
	request := g.request(g.family, cmd, unix.NLM_F_ACK)
	request.AddData(serviceAttr(key))
	request.AddData(destAttr(dest))
	return g.execute(request, func([]byte) error { return nil })
}

func (g *genl) request(family int, cmd uint8, flags int) *nl.NetlinkRequest {
	request := nl.NewNetlinkRequest(family, flags)
	request.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_GENERIC: g.socket}
	request.AddData(genlHeader{cmd})
	return request
}

// execute calls f with the attributes of each message that answers the request, until f fails.
func (g *genl) execute(request *nl.NetlinkRequest, f func(attrs []byte) error) error {
	var failed error
	err := request.ExecuteIter(unix.NETLINK_GENERIC, 0, func(message []byte) bool {
		if len(message) < genlHeaderLen {
			failed = errors.New("an answer too short")
		} else {
			failed = f(message[genlHeaderLen:])
		}
		return failed == nil
	})
	if errors.Is(err, unix.EAGAIN) {
		err = errNoAnswer
	}
	return errors.Join(failed, err)
}
