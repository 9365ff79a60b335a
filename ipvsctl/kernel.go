package ipvsctl

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"ldirectord/internal/lvs"
	"ldirectord/internal/raw"
)

const (
	answerTimeout  = 10 * time.Second // the time limit for the kernel's answer to a request or a batch
	connectTimeout = moduleTimeout + answerTimeout
	hangTimeout    = time.Second // for a request to end after the end of its context
)

var errPending = errors.New("not asked yet")

// errNoAnswer means that a request reached its time limit.
var errNoAnswer noAnswer

type noAnswer struct{}

func (noAnswer) Error() string { return "no answer from the kernel" }
func (noAnswer) Unwrap() error { return context.DeadlineExceeded }

// over returns the reason why ctx has ended.
func over(ctx context.Context) error {
	if err := context.Cause(ctx); err != context.DeadlineExceeded {
		return err
	}
	return errNoAnswer
}

// kernel is the table of the network namespace in which it is opened. Its first request opens it. Several goroutines
// may share it. It sends one request at a time, because moby/ipvs would mix up the answers to two requests.
type kernel struct {
	// If raw is set, counters are read by raw system calls, which bypass Go's scheduler. The scheduler would wake a
	// thread for each call, and that would cost more than all the rest. The drawback is that a processor of the Go
	// runtime (a P) is blocked while another program holds the kernel's IPVS lock. If that program hangs, this one
	// stops at the next garbage collection. raw also makes the buffer for answers smaller, because each answer is
	// about one service.
	raw     bool
	timeout time.Duration // for an answer; 0 for answerTimeout

	turn chan struct{} // holds a value while a request is running; guards conn
	conn *conn         // nil if the next request must open new sockets
	hung atomic.Bool   // see await
}

func newKernel() *kernel { return &kernel{turn: make(chan struct{}, 1)} }

// conn is a pair of open sockets to the kernel: moby for changes of services and for timeouts, genl for everything
// else.
type conn struct {
	moby  moby
	genl  *genl
	found bool // see find
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
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	_, err := request(ctx, k, func(*conn) (any, error) { return nil, nil })
	return err
}

// Close closes the sockets. It does not change the table.
func (k *kernel) Close() error {
	if k.hung.Load() { // the sockets are closed as soon as the kernel answers
		return nil
	}
	k.turn <- struct{}{}
	defer k.end()
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
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(k.timeout, answerTimeout))
	defer cancel()
	results, err := request(ctx, k, func(c *conn) ([]error, error) { return c.change(ops) })
	if results == nil {
		results = pending(ops)
	}
	for i, op := range ops {
		if results[i] == errPending {
			results[i] = err
		}
		results[i] = refused(op, results[i])
	}
	return results
}

// pending returns errPending for each change, or the fault that Check finds in it.
func pending(ops []lvs.Op) []error {
	results := make([]error, len(ops))
	for i, op := range ops {
		results[i] = cmp.Or(Check(op), errPending)
	}
	return results
}

// change makes the changes of do. It returns their results. If a result is errPending, err is the result.
func (c *conn) change(ops []lvs.Op) (results []error, err error) {
	results = pending(ops)
	switch {
	case ops[0].Kind >= lvs.AddDest:
		err = c.genl.changeDests(ops, results)
	case results[0] == errPending:
		err = c.changeService(ops[0])
	}
	return results, err
}

// request runs talk with the open sockets, until the end of ctx.
func request[A any](ctx context.Context, k *kernel, talk func(*conn) (A, error)) (none A, err error) {
	if err := k.begin(ctx); err != nil {
		return none, err
	}
	return await(ctx, k, talk)
}

// await runs talk after begin, and calls end.
//
// The kernel may hang in a system call, for example while modprobe loads a scheduler. Closing the sockets doesn't end
// such a call. So talk runs on a goroutine of its own, and must not change anything that the caller uses. A second
// after the end of ctx, await returns without it. Until talk ends, begin fails.
func await[A any](ctx context.Context, k *kernel, talk func(*conn) (A, error)) (none A, err error) {
	var answer A
	ended := make(chan error, 1)
	go func() {
		defer k.end()
		var err error
		answer, err = talkUntil(ctx, k, talk)
		ended <- err
	}()
	select {
	case err := <-ended:
		return answer, err
	case <-ctx.Done():
	}
	select {
	case err := <-ended:
		return answer, err
	case <-time.After(hangTimeout):
		k.hung.Store(true)
		go func() {
			<-ended
			k.hung.Store(false)
		}()
		return none, over(ctx)
	}
}

// rawRequest is request for a talk that only reads. If it can, it runs talk here, by raw system calls.
func rawRequest[A any](ctx context.Context, k *kernel, talk func(*conn) (A, error)) (none A, err error) {
	if err := k.begin(ctx); err != nil {
		return none, err
	}
	if !k.conn.found || !changing.TryRLock() {
		return await(ctx, k, talk)
	}
	defer k.end()
	defer changing.RUnlock()
	g := k.conn.genl
	g.raw = true
	defer func() { g.raw = false }()
	return talkUntil(ctx, k, talk)
}

// begin waits for the end of the previous request, and opens the sockets unless they are open. It opens them on this
// thread, whose network namespace they get. While a request hangs that was given up, begin fails. Unless it fails, the
// caller calls end.
func (k *kernel) begin(ctx context.Context) (err error) {
	switch {
	case ctx.Err() != nil:
		return over(ctx)
	case k.hung.Load():
		return errNoAnswer
	}
	select {
	case k.turn <- struct{}{}:
	case <-ctx.Done():
		return over(ctx)
	}
	if k.conn != nil {
		return nil
	}
	if k.conn, err = k.connect(ctx); err != nil {
		k.end()
		return openError(err)
	}
	return nil
}

// end lets the next request begin.
func (k *kernel) end() { <-k.turn }

// talkUntil finds IPVS if the sockets are new, and runs talk. If ctx ends first, it closes the sockets, because
// moby/ipvs would wait forever for a lost answer. After a failure of the sockets, the next request opens new ones.
func talkUntil[A any](ctx context.Context, k *kernel, talk func(*conn) (A, error)) (answer A, err error) {
	uncut := context.AfterFunc(ctx, k.conn.close)
	k.conn.genl.wait()
	if err = k.conn.find(ctx); err != nil {
		err = openError(err)
	} else {
		answer, err = talk(k.conn)
	}
	switch {
	case !uncut():
		k.drop()
		if err != nil {
			return answer, over(ctx)
		}
	case !k.conn.found || lineFailed(err):
		k.drop()
	}
	return answer, err
}

// drop closes the sockets. Call it between begin and end.
func (k *kernel) drop() {
	if k.conn != nil {
		k.conn.close()
		k.conn = nil
	}
}

// changing is held during a change of a service, for which the kernel may run modprobe. Meanwhile no raw read is made.
var changing sync.RWMutex

// changeService adds, edits or removes a service.
func (c *conn) changeService(op lvs.Op) error {
	changing.Lock()
	err := c.moby.change(op)
	changing.Unlock()
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
