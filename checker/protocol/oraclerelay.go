package protocol

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"ldirectord/checker/oracle"
	"ldirectord/checker/wire"
)

// oracleRelay relays data between ldirectord-oracle and the server: first its listener, then the ports to which the
// listener redirects.
type oracleRelay struct {
	ctx       context.Context
	target    netip.AddrPort
	limit     time.Duration
	deadline  time.Time
	sockets   []*net.UnixConn
	inherited []*os.File // the program's ends of the sockets
	working   sync.WaitGroup
	server    *wire.LibConn // nil before the first connection
	failed    error         // why a connection could not be opened
}

// begin makes the sockets and starts to serve the program. The caller must call end, even after an error.
func (r *oracleRelay) begin() error {
	for range oracle.Sockets {
		if err := r.addSocket(); err != nil {
			return err
		}
	}
	r.working.Go(r.serve)
	return nil
}

func (r *oracleRelay) addSocket() error {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	r.inherited = append(r.inherited, os.NewFile(uintptr(pair[1]), "socket"))
	ours := os.NewFile(uintptr(pair[0]), "socket")
	defer ours.Close()
	socket, err := net.FileConn(ours) // a copy
	if err == nil {
		r.sockets = append(r.sockets, socket.(*net.UnixConn))
	}
	return err
}

// end closes the sockets and waits until all relaying is over.
func (r *oracleRelay) end() {
	for _, socket := range r.inherited {
		socket.Close()
	}
	for _, socket := range r.sockets {
		socket.Close()
	}
	r.working.Wait()
}

// serve opens a connection for one socket after another, and relays data. The time to start the program does not count
// against the server.
func (r *oracleRelay) serve() {
	port := make([]byte, 2)
	for i, program := range r.sockets {
		if _, err := io.ReadFull(program, port); err != nil {
			return // the program has exited
		}
		to := r.target
		if i == 0 {
			r.deadline = time.Now().Add(r.limit)
		} else {
			to = netip.AddrPortFrom(to.Addr(), binary.BigEndian.Uint16(port))
		}
		if r.failed = r.connect(to); r.failed != nil {
			program.Close()
			return
		}
		// in both directions, until the program has sent everything or the server accepts no more
		answered := make(chan struct{})
		go func() {
			io.Copy(program, r.server)
			program.CloseWrite()
			close(answered)
		}()
		io.Copy(r.server, program)
		program.Close()
		r.server.Close()
		<-answered
	}
}

func (r *oracleRelay) connect(to netip.AddrPort) error {
	tcp, err := wire.ConnectUntil(r.ctx, to, r.deadline, r.limit)
	if err != nil {
		return err
	}
	d := wire.NewDialogue(tcp)
	r.server = wire.NewLibConn(&d, maxSQL, oracleHeader, oracleLengths(d.In))
	return nil
}

// fault explains why a check failed, with the server's own text or with the error of the connection.
func (r *oracleRelay) fault(a *oracle.Answer) error {
	step, err := wire.LoginStep, errors.New(string(a.Text))
	if a.InQuery {
		step = wire.QueryStep
	}
	switch {
	case a.Outcome == oracle.Done:
		return nil
	case a.Outcome == oracle.Refused:
		err = &wire.Refusal{Text: string(a.Text)}
	case !a.Lost:
		return step.Stage.Of(wire.StageFault(step.Name, err))
	}
	return r.server.Fault(step, err)
}

var errNotOracle = errors.New("this is not Oracle")

// oracleHeader is the size of the header of a TNS packet.
const oracleHeader = 8

// tnsAccept is the type of the packet that accepts a connection.
const tnsAccept = 2

// oracleLengths returns the function that reads how many bytes of a TNS packet follow its header. The length has two
// bytes, or four once both sides have agreed on version 315 or later.
func oracleLengths(in *bufio.Reader) func(header []byte) (int, error) {
	wide := false
	return func(header []byte) (int, error) {
		length := int(binary.BigEndian.Uint16(header))
		if wide {
			length = int(binary.BigEndian.Uint32(header))
		}
		if length < oracleHeader || header[4] == 0 || header[4] > 20 {
			return 0, errNotOracle
		}
		if header[4] == tnsAccept && !wide {
			version, err := in.Peek(2)
			if err != nil {
				return 0, err
			}
			wide = binary.BigEndian.Uint16(version) >= 315
		}
		return length - oracleHeader, nil
	}
}
