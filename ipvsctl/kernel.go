package ipvsctl

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"ldirectord/internal/lvs"
	"ldirectord/internal/raw"
)

// answerTimeout is the time limit for the kernel's answer to a request or a batch.
const answerTimeout = 10 * time.Second

var (
	errNoAnswer = fmt.Errorf("no answer from the kernel: %w", context.DeadlineExceeded)
	errPending  = errors.New("not asked yet")
)

// kernel is the table of the network namespace in which it is opened. The zero kernel is ready to use: its first
// request opens it. Several goroutines may share it. It sends one request at a time, because moby/ipvs would mix up the
// answers to two requests.
type kernel struct {
	// If raw is set, counters are read by raw system calls, which bypass Go's scheduler. The scheduler would wake a
	// thread for each call, and that would cost more than all the rest. The drawback is that a processor of the Go
	// runtime (a P) is blocked while another program holds the kernel's IPVS lock. raw also makes the buffer for
	// answers smaller, because each answer is about one service.
	raw     bool
	timeout time.Duration // for an answer; 0 for answerTimeout

	mu   sync.Mutex // guards conn
	conn *conn      // nil if the next request must open new sockets
}

// conn is a pair of open sockets to the kernel: moby for changes of services and for timeouts, genl for everything
// else.
type conn struct {
	moby moby
	genl *genl
}

// genl is a socket for the requests that moby/ipvs lacks or gets wrong. The library does not know tunnels. It does not
// read persistence engines, or send the family of a destination. It reads weights as 16 bits, and waits for every
// answer. Only one goroutine at a time may use a genl.
type genl struct {
	file    *os.File
	timeout time.Duration // see wait
	family  uint16        // the number of the netlink family IPVS
	raw     bool          // see call

	out    []byte // queued requests
	last   int    // the start of the last queued request
	queued uint32 // the number of queued requests
	seq    uint32 // the sequence number of the last request
	in     []byte // room for answers
}

// Connect opens the kernel's table, and loads the module ip_vs if it is missing. If the kernel has no IPVS, or the
// process lacks privileges, the error is an *OpError.
func (k *kernel) Connect(ctx context.Context) error {
	return k.request(ctx, func(*conn) error { return nil })
}

// Close closes the sockets. It does not change the table.
func (k *kernel) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.drop()
	return nil
}

// Do makes changes, see Client. It changes services one by one, and destinations in batches.
func (k *kernel) Do(ctx context.Context, ops ...lvs.Op) (results []error) {
	for len(ops) > 0 {
		n := min(lvs.Batch, len(ops))
		if i := slices.IndexFunc(ops[:n], func(op lvs.Op) bool { return op.Kind < lvs.AddDest }); i >= 0 {
			n = max(i, 1)
		}
		results = append(results, k.do(ctx, ops[:n])...)
		ops = ops[n:]
	}
	return results
}

// do makes one change of a service, or a batch of changes of destinations.
func (k *kernel) do(ctx context.Context, ops []lvs.Op) []error {
	results := make([]error, len(ops))
	for i, op := range ops {
		results[i] = cmp.Or(Check(op), errPending)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, cmp.Or(k.timeout, answerTimeout), errNoAnswer)
	defer cancel()
	err := k.request(ctx, func(c *conn) error {
		switch {
		case ops[0].Kind >= lvs.AddDest:
			return c.genl.changeDests(ops, results)
		case results[0] == errPending:
			return c.changeService(ops[0])
		default:
			return nil
		}
	})
	for i, op := range ops {
		if results[i] == errPending {
			results[i] = err
		}
		results[i] = refused(op, results[i])
	}
	return results
}

// request runs talk with the open sockets. If ctx ends first, request closes them, because moby/ipvs would wait forever
// for a lost answer. After a failure of the sockets, the next request opens new ones.
func (k *kernel) request(ctx context.Context, talk func(*conn) error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if k.conn == nil {
		c, err := k.connect(ctx)
		if err != nil {
			return openError(err)
		}
		k.conn = c
	}
	uncut := context.AfterFunc(ctx, k.conn.close)
	k.conn.genl.wait()
	err := talk(k.conn)
	switch {
	case !uncut():
		k.drop()
		if err != nil {
			return context.Cause(ctx)
		}
	case lineFailed(err):
		k.drop()
	}
	return err
}

// drop closes the sockets. The caller holds mu.
func (k *kernel) drop() {
	if k.conn != nil {
		k.conn.close()
		k.conn = nil
	}
}

// changeService adds, edits or removes a service.
func (c *conn) changeService(op lvs.Op) error {
	err := c.moby.change(op)
	if op.Kind != lvs.DelService && errors.Is(err, syscall.ENOENT) && c.genl.isCurrent() {
		s := op.Settings
		return lacking(s, isLoaded("ip_vs_"+s.Scheduler), isLoaded("ip_vs_pe_"+s.PEName))
	}
	return err
}

// isLoaded reports whether a module is loaded. It may return false for a built-in module.
func isLoaded(module string) bool {
	_, err := os.Stat("/sys/module/" + module)
	return err == nil
}

// destCommands maps changes of destinations to commands.
var destCommands = map[lvs.OpKind]uint8{lvs.AddDest: cmdNewDest, lvs.EditDest: cmdSetDest, lvs.DelDest: cmdDelDest}

// changeDests sends the pending changes of destinations together. Then it repeats the additions that failed with EEXIST
// as edits. An error may be a failure of the sockets. In that case, changes without a result are still pending.
func (g *genl) changeDests(ops []lvs.Op, results []error) error {
	for range 2 {
		var asked []int
		for i, op := range ops {
			cmd := destCommands[op.Kind]
			if results[i] == syscall.EEXIST {
				cmd, results[i] = cmdSetDest, errPending
			} else if results[i] != errPending {
				continue
			}
			g.queue(g.family, cmd, 0, keyAttr(op.Key), destAttr(op.Dest))
			asked = append(asked, i)
		}
		ended, err := g.exchange(func(attrs) error { return nil })
		if err != nil {
			return err
		}
		for n, i := range asked {
			results[i] = ended[n]
		}
	}
	if i := slices.IndexFunc(results, lineFailed); i >= 0 {
		return results[i] // the module may have been unloaded
	}
	return nil
}

// queue adds a request for exchange.
func (g *genl) queue(family uint16, cmd uint8, flags int, attrs ...*nl.RtAttr) {
	request := nl.NewNetlinkRequest(int(family), flags)
	g.seq++
	request.Seq = g.seq
	request.AddRawData([]byte{cmd, 1, 0, 0})
	for _, a := range attrs {
		request.AddRawData(a.Serialize())
	}
	g.queued++
	g.last = len(g.out)
	g.out = append(g.out, request.Serialize()...)
}

// wait sets the deadline for the next answers. On some machines, this takes as long as an answer, so it is not done for
// each message.
func (g *genl) wait() { g.file.SetDeadline(time.Now().Add(g.timeout)) }

// ask sends one request and waits for its end.
func (g *genl) ask(family uint16, cmd uint8, flags int, answer func(attrs) error, attrs ...*nl.RtAttr) error {
	g.queue(family, cmd, flags, attrs...)
	ended, err := g.exchange(answer)
	return cmp.Or(err, ended[0])
}

// exchange sends the queued requests, and calls answer with the attributes of each message in the replies. ended
// contains the result of each request, and err is a failure of the sockets or of answer.
//
// The kernel handles the requests one by one, reports each failure, and acknowledges the last request. A request
// without a reported failure succeeded.
func (g *genl) exchange(answer func(attrs) error) (ended []error, err error) {
	if g.queued == 0 {
		return nil, nil
	}
	flags := g.out[g.last+6:]
	binary.NativeEndian.PutUint16(flags, num16(flags)|unix.NLM_F_ACK)
	ended, first := make([]error, g.queued), g.seq-g.queued+1
	_, err = g.call(true, g.out)
	g.out, g.queued = g.out[:0], 0
	for done := false; !done && err == nil; {
		done, err = g.receive(first, ended, answer)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errNoAnswer
	}
	return ended, err
}

// call sends or receives a message. If g.raw is set, it uses a raw system call, see kernel.
func (g *genl) call(sends bool, p []byte) (n int, err error) {
	wait, scheduled, direct := syscall.RawConn.Read, g.file.Read, raw.Read
	if sends {
		wait, scheduled, direct = syscall.RawConn.Write, g.file.Write, raw.Write
	}
	conn, closed := g.file.SyscallConn()
	if !g.raw || closed != nil {
		return scheduled(p)
	}
	waited := wait(conn, func(fd uintptr) bool {
		n, err = direct(int(fd), p)
		return err != unix.EAGAIN
	})
	return n, cmp.Or(waited, err)
}

// receive reads the kernel's next messages, and reports whether the last request has ended. first is the sequence
// number of the first request.
func (g *genl) receive(first uint32, ended []error, answer func(attrs) error) (done bool, err error) {
	n, err := g.call(false, g.in)
	if err != nil {
		return false, err
	}
	messages, err := syscall.ParseNetlinkMessage(g.in[:n])
	for _, m := range messages {
		switch of := m.Header.Seq - first; {
		case of >= uint32(len(ended)): // not about these requests
		case m.Header.Type == unix.NLMSG_ERROR || m.Header.Type == unix.NLMSG_DONE:
			if errno := int32(num32(m.Data)); errno != 0 {
				ended[of] = syscall.Errno(-errno)
			}
			done = int(of) == len(ended)-1
		case len(m.Data) < nl.SizeofGenlmsg:
			return false, errors.New("an answer too short")
		default:
			err = cmp.Or(err, answer(readAttrs(m.Data[nl.SizeofGenlmsg:])))
		}
	}
	return done, err
}
