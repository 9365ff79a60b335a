package schedule

import (
	"container/heap"
	"io"
	"net"
	"syscall"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/icmp"
	"ldirectord/checker/wire"
	"ldirectord/internal/raw"
)

// maxHeld and maxPieces limit how much of an answer the loop reads, in bytes and in reads. If an answer is longer, a
// goroutine continues the check.
const (
	maxHeld   = 16 << 10
	maxPieces = 4
)

// flight is a light check in progress.
type flight struct {
	checker.Opening
	task  *Task
	check checker.Light
	began time.Time
	slot  // its deadline, in the loop's ends

	fd     int // -1 without a socket
	looks  int
	sent   bool
	head   []byte // the bytes read so far
	pieces int    // the number of reads
	stages wire.Stages

	echo  icmp.Echo
	asked int // how many echo requests were sent
}

// unconnected finishes a check that got no connection.
func (l *loop) unconnected(f *flight, err error) {
	l.finish(f, checker.Failed(wire.ConnectFault(err, f.Timeout)))
}

// step continues a check as far as possible without waiting. It reports whether the loop is done with the check.
func (l *loop) step(f *flight) bool {
	if !f.sent {
		begin := l.send
		if len(f.Request) == 0 {
			begin = l.connected
		}
		if done := begin(f); done || !f.sent {
			return done
		}
	}
	return l.receive(f)
}

// connected calls connect(2) again, which reports whether the connection succeeded.
func (l *loop) connected(f *flight) bool {
	err := raw.Connect(f.fd, f.To)
	switch {
	case raw.InProgress(err):
		return false
	case err == nil || err == syscall.EISCONN:
		f.mark(wire.MarkConnect, l.now)
		if f.sent = f.Line > 0; f.sent {
			return false
		}
		l.finish(f, f.check.Resume(l.pool.ctx, nil))
	default:
		l.unconnected(f, err)
	}
	return true
}

// send sends the request as soon as there is a connection.
func (l *loop) send(f *flight) (done bool) {
	n, err := raw.Write(f.fd, f.Request)
	switch {
	case err == syscall.EAGAIN: // no connection yet
		return false
	case err == syscall.EPIPE || err == syscall.ECONNRESET:
		l.finish(f, checker.Failed(wire.StageFault("sending the request", err)))
		return true
	case err != nil: // the connection failed
		l.unconnected(f, err)
		return true
	}
	f.mark(wire.MarkConnect, l.now)
	if n < len(f.Request) {
		l.handOver(f, f.Request[n:])
		return true
	}
	f.mark(wire.MarkSent, l.now)
	f.sent = true
	return false
}

// mark notes the end of a stage. The argument now is the loop's, which many checks share.
func (f *flight) mark(m wire.Mark, now time.Time) {
	if f.stages.Set(m, now.Sub(f.began)); m == wire.MarkConnect {
		f.Via.Connected(f.fd, f.To)
	}
}

// receive reads available data, and finishes the check if that is enough.
func (l *loop) receive(f *flight) (done bool) {
	for {
		n, err := raw.Read(f.fd, l.buf[:])
		switch {
		case err == syscall.EAGAIN:
			return false
		case err == syscall.EINTR:
			continue
		case n == 0:
			err = io.EOF
		case n > 0 && f.stages[wire.MarkFirstByte] == 0:
			f.mark(wire.MarkFirstByte, l.now)
		}
		sent := l.buf[:max(n, 0)]
		if len(f.head) > 0 {
			f.head = append(f.head, sent...)
			sent = f.head
		}
		more, done := l.judge(f, sent, err)
		if done {
			return true
		}
		f.head = append(f.head[:0], sent...)
		if f.pieces++; !more || f.pieces == maxPieces && f.Line == 0 || len(f.head) >= maxHeld {
			l.handOver(f, nil)
			return true
		}
	}
}

// judge finishes the check if the received data is enough. Otherwise it reports whether more data would help.
func (l *loop) judge(f *flight, sent []byte, err error) (more, done bool) {
	part := wire.Received{Head: sent, Err: err}
	r := f.check.Resume(l.pool.ctx, &wire.Conn{Conn: &part, Deadline: f.began.Add(f.Timeout)})
	if part.Short || part.Waits {
		return part.Short, false
	}
	l.finish(f, r)
	return false, true
}

// handOver continues a check in a goroutine, which first sends the remainder of the request.
func (l *loop) handOver(f *flight, request []byte) {
	if l.forget(f) {
		syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_DEL, f.fd, nil)
	}
	heap.Remove(&l.ends, f.index) // the flight is the goroutine's now
	socket := wire.NewSocket(f.fd, f.To)
	way := l.pool.ctx
	if f.Via != nil {
		way = wire.WithVia(way, *f.Via)
	}
	w := wire.WatchingOn(way, f.began, f.stages)
	l.pool.running.Go(func() {
		u := Update{Task: f.task, Result: f.goOn(w, socket, request), Began: f.began}
		u.Result.Watched(w)
		l.pool.complete(u)
	})
}

func (f *flight) goOn(ctx *wire.Watch, socket net.Conn, request []byte) checker.Result {
	c, err := wire.Guard(ctx, &wire.Received{Conn: socket, Head: f.head}, ctx.End(f.Timeout))
	if err == nil {
		err = c.Send("the request", request)
	}
	if err != nil {
		return checker.Failed(err)
	}
	return f.check.Resume(ctx, c)
}

// echoed is the result of a flight's echo request.
type echoed struct {
	flight *flight
	took   time.Duration
	err    error
}

// ping queues an echo request, which is sent together with others.
func (p *pings) ping(f *flight) {
	f.echo.To, f.echo.Path = f.Ping.Target, f.Ping.Path
	f.asked++
	p.echoes = append(p.echoes, &f.echo)
	p.pinger = f.Ping.Pinger.(checker.Echoer)
}

// sendEchoes sends the queued echo requests. All checks share one pinger.
func (p *pings) sendEchoes() {
	if len(p.echoes) > 0 {
		p.pinger.Send(p.echoes)
		clear(p.echoes)
		p.echoes, p.pinged = p.echoes[:0], true
	}
}

// noteEcho notes the result of an echo request, and wakes the loop unless the loop will wake soon anyway. It may be
// called from any goroutine.
func (l *loop) noteEcho(e echoed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.echoed = append(l.echoed, e)
	if l.asleep {
		l.asleep = false
		l.poll.SetReadDeadline(wire.LongAgo)
	}
}

func (l *loop) takeEchoes() {
	l.mu.Lock()
	l.taken, l.echoed = l.echoed, l.taken[:0]
	l.mu.Unlock()
	l.pinged = false
	for _, e := range l.taken {
		l.finish(e.flight, e.flight.Ping.Result(e.took, e.err))
	}
	clear(l.taken)
}

// endOfPing handles a ping whose deadline has passed. It sends another request, up to checkcount requests in total.
func (l *loop) endOfPing(f *flight, now moment) {
	rest, err := l.pinger.Rest(&f.echo, f.Timeout)
	if rest == 0 && l.pinger.Forget(&f.echo) {
		if !wire.IsTimeout(err) || f.asked == f.Ping.Attempts {
			l.finish(f, f.Ping.Result(0, err))
			return
		}
		l.ping(f)
		rest = f.Timeout
	}
	f.due = now + max(rest, lookEvery) // if rest is 0, its result has just come
	heap.Fix(&l.ends, f.index)
}

// pings is the loop's state for pings.
type pings struct {
	pinger checker.Echoer
	echoes []*icmp.Echo // to be sent
	taken  []echoed
	pinged bool // requests were sent since the last wait: their results are taken at the next look
}
