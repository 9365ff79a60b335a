//go:build linux

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

	"golang.org/x/sys/unix"
)

// answerTimeout is how long the kernel's answer to one request is waited for.
const answerTimeout = 10 * time.Second

var (
	errNoAnswer = fmt.Errorf("no answer from the kernel: %w", context.DeadlineExceeded)
	errPending  = errors.New("not asked yet")
)

// Kernel is the table of the network namespace in which it is opened. The zero Kernel is opened by its first request.
// It may be shared by goroutines: one request is under way at a time, since moby/ipvs mixes up the answers of two.
type Kernel struct {
	timeout time.Duration // for an answer; 0 for answerTimeout

	mu   sync.Mutex // guards conn
	conn *conn      // nil when the next request must open another
}

// conn is an open line to the kernel: moby/ipvs for services, our own messages for the rest.
type conn struct {
	moby moby
	genl *genl
}

// genl is a socket for what moby/ipvs gets wrong or leaves out: it does not know the family of a destination,
// tunnels and persistence engines, reads a weight as 16 bits, and waits for every answer. It is not for several
// goroutines at once.
type genl struct {
	file    *os.File
	timeout time.Duration // for each answer
	family  uint16        // the number of IPVS

	out    []byte // requests that are not sent yet
	last   int    // where the last of them begins
	queued uint32 // how many they are
	seq    uint32 // the number of the last one
	in     []byte // room for answers
}

// Open opens the kernel's table, after loading the module ip_vs where it is missing. A kernel without IPVS
// and missing rights are an *OpError.
func Open(ctx context.Context) (*Kernel, error) {
	k := &Kernel{}
	if err := k.request(ctx, func(*conn) error { return nil }); err != nil {
		return nil, err
	}
	return k, nil
}

// Close lets go of the kernel; the table stays as it is.
func (k *Kernel) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.drop()
	return nil
}

// Do makes changes, see Client.
func (k *Kernel) Do(ctx context.Context, ops ...Op) (results []error) {
	for batch := range slices.Chunk(ops, Batch) {
		results = append(results, k.do(ctx, batch)...)
	}
	return results
}

func (k *Kernel) do(ctx context.Context, ops []Op) []error {
	results := make([]error, len(ops))
	for i, op := range ops {
		results[i] = cmp.Or(op.Check(), errPending)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, cmp.Or(k.timeout, answerTimeout), errNoAnswer)
	defer cancel()
	err := k.request(ctx, func(c *conn) error { return c.do(ops, results) })
	for i, op := range ops {
		if results[i] == errPending {
			results[i] = err
		}
		results[i] = refused(op, results[i])
	}
	return results
}

// request lets talk have the line to the kernel, and cuts the line when ctx ends first: moby/ipvs would wait
// for a lost answer forever. After a failure of the line itself the next request gets a new one.
func (k *Kernel) request(ctx context.Context, talk func(*conn) error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if k.conn == nil {
		c, err := connect(ctx, cmp.Or(k.timeout, answerTimeout))
		if err != nil {
			return openError(err)
		}
		k.conn = c
	}
	uncut := context.AfterFunc(ctx, k.conn.close)
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

// drop closes the line; mu is held.
func (k *Kernel) drop() {
	if k.conn != nil {
		k.conn.close()
		k.conn = nil
	}
}

// do makes the changes whose result is errPending. Its own error is one of the line; what was not answered before it
// is still pending then.
func (c *conn) do(ops []Op, results []error) error {
	for i := 0; i < len(ops); {
		n := 1
		var err error
		if ops[i].Kind < AddDest {
			err = c.changeService(ops[i], &results[i])
		} else {
			for i+n < len(ops) && ops[i+n].Kind >= AddDest {
				n++
			}
			err = c.genl.changeDests(ops[i:i+n], results[i:i+n])
		}
		if err != nil {
			return err
		}
		i += n
	}
	if i := slices.IndexFunc(results, lineFailed); i >= 0 {
		return results[i] // the module may be gone
	}
	return nil
}

// changeService adds, edits or removes a service.
func (c *conn) changeService(op Op, result *error) error {
	if *result != errPending {
		return nil
	}
	var err error
	if op.Kind == DelService {
		err = c.moby.remove(op)
	} else {
		err = c.moby.put(op)
	}
	switch {
	case errors.Is(err, syscall.ENOENT):
		err = lacking(op.Settings, isLoaded)
	case lineFailed(err):
		return err
	}
	*result = err
	return nil
}

// isLoaded reports whether a module is in the kernel, unless it is built in.
func isLoaded(module string) bool {
	_, err := os.Stat("/sys/module/" + module)
	return err == nil
}

// destCommands are the commands that change destinations.
var destCommands = map[OpKind]uint8{AddDest: cmdNewDest, EditDest: cmdSetDest, DelDest: cmdDelDest}

// changeDests adds, edits and removes destinations: all in one send, then in another the additions of what was there.
func (g *genl) changeDests(ops []Op, results []error) error {
	for range 2 {
		var asked []int
		for i, op := range ops {
			cmd := destCommands[op.Kind]
			switch {
			case results[i] == errPending:
			case op.Kind == AddDest && results[i] == syscall.EEXIST:
				cmd = cmdSetDest
			default:
				continue
			}
			g.queue(g.family, cmd, 0, appendDest(appendKey(nil, op.Key), op.Dest))
			asked = append(asked, i)
		}
		ended, err := g.exchange(func([]byte) error { return nil })
		if err != nil {
			return err
		}
		for n, i := range asked {
			results[i] = ended[n]
		}
	}
	return nil
}

// queue adds a request to those that exchange sends.
func (g *genl) queue(family uint16, cmd uint8, flags uint16, attrs []byte) {
	g.seq++
	g.queued++
	g.last = len(g.out)
	size := unix.NLMSG_HDRLEN + genlHeaderLen + len(attrs)
	g.out = binary.NativeEndian.AppendUint32(g.out, uint32(size))
	g.out = binary.NativeEndian.AppendUint16(g.out, family)
	g.out = binary.NativeEndian.AppendUint16(g.out, flags|unix.NLM_F_REQUEST)
	g.out = binary.NativeEndian.AppendUint32(g.out, g.seq)
	g.out = append(g.out, 0, 0, 0, 0, cmd, 1, 0, 0)
	g.out = append(g.out, attrs...)
}

// exchange sends the requests that are queued and calls answer with the attributes of each message that answers one. It
// returns how each request ended. Its own error is one of the line.
//
// The kernel takes them one after the other, tells of each that fails, and acknowledges the last: the others succeeded.
func (g *genl) exchange(answer func(attrs []byte) error) (ended []error, err error) {
	if g.queued == 0 {
		return nil, nil
	}
	flags := g.out[g.last+6:]
	binary.NativeEndian.PutUint16(flags, num16(flags)|unix.NLM_F_ACK)
	ended, first := make([]error, g.queued), g.seq-g.queued+1
	g.file.SetDeadline(time.Now().Add(g.timeout))
	_, err = g.file.Write(g.out)
	g.out, g.queued = g.out[:0], 0
	for done := false; !done && err == nil; {
		done, err = g.receive(first, ended, answer)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errNoAnswer
	}
	return ended, err
}

// receive reads what the kernel says next of the requests from number first on, and reports whether the last has ended.
func (g *genl) receive(first uint32, ended []error, answer func(attrs []byte) error) (done bool, err error) {
	n, err := g.file.Read(g.in)
	for b := g.in[:max(n, 0)]; err == nil && len(b) >= unix.NLMSG_HDRLEN; {
		size := int(num32(b))
		if size < unix.NLMSG_HDRLEN || size > len(b) {
			return false, errors.New("an answer that is cut off")
		}
		kind, of, payload := num16(b[4:]), num32(b[8:])-first, b[unix.NLMSG_HDRLEN:size]
		b = b[min((size+3)&^3, len(b)):] // each starts at a multiple of four
		switch {
		case of >= uint32(len(ended)): // of none of these requests
		case kind == unix.NLMSG_ERROR || kind == unix.NLMSG_DONE:
			if errno := int32(num32(payload)); errno != 0 {
				ended[of] = syscall.Errno(-errno)
			}
			done = int(of) == len(ended)-1
		case len(payload) < genlHeaderLen:
			return false, errors.New("an answer too short")
		default:
			err = answer(payload[genlHeaderLen:])
		}
	}
	return done, err
}

// ask sends one request.
func (g *genl) ask(family uint16, cmd uint8, flags uint16, attrs []byte, answer func(attrs []byte) error) error {
	g.queue(family, cmd, flags, attrs)
	ended, err := g.exchange(answer)
	return cmp.Or(err, ended[0])
}
