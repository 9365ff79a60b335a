package schedule

import (
	"container/heap"
	"math/rand/v2"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/checker"
	"ldirectord/checker/settings"
	"ldirectord/checker/wire"
	"ldirectord/internal/raw"
)

const (
	// dialEvery is the minimum time between two new connections of any watches, on average over a Tick.
	dialEvery = 2 * time.Millisecond
	// firstPause is the maximum pause before a connection is replaced for the first time. It is short, because a
	// process that is ending may close its connections before it stops listening, and pass a check in between. The
	// pause doubles each time, up to the interval of the checks. After a connection that lasted an interval, the
	// pause is short again.
	firstPause = 10 * time.Millisecond
	// A server that passes its checks, but ends maxShort connections in a row, each within shortLife, is no longer
	// watched.
	shortLife = 5 * time.Second
	maxShort  = 5
	// A server that goes down during maxBlocked connections in a row, each time before a check passes, is no longer
	// watched: it handles one connection at a time, and the watch holds that one. A check as soon as the last
	// connection is open tells such a server from one that fails soon after each recovery.
	maxBlocked = 2
	maxSent    = 64 << 10 // how many bytes a server may send on one connection
)

// Watch is an address to which the pool keeps an idle TCP connection, to notice at once when the server or the path
// to it fails. The end of the connection changes no state, but causes a check of each task.
type Watch struct {
	To netip.AddrPort
	settings.Path
	// Silence is a time in whole seconds. The connection ends when the other end's kernel has been silent for one
	// to two times as long. If Silence is 0, only a FIN, a RST or a network error ends the connection.
	Silence time.Duration
	Every   time.Duration // the shortest interval of the tasks
	Tasks   []*Task       // the checks of that address
}

// Watches are the idle connections of a pool, one for each address. The loop serves them, without a goroutine for each.
// They are safe for use by several goroutines.
type Watches struct {
	pool *Pool // its mu guards what follows

	all   map[netip.AddrPort]*watching
	dials byTime[*watching]   // those that wait for a new connection
	free  moment              // when the next connection may be made
	open  map[int32]*watching // by descriptor
}

// watching is the state of a Watch.
type watching struct {
	Watch
	fd    int // -1: no connection
	began moment
	pause time.Duration // the maximum pause before this connection
	short int           // how many connections in a row ended too soon
	tried int           // how many connections in a row during which no check has passed
	sent  int           // how many bytes the server has sent
	slot                // of the next connection, in dials
}

// Set replaces all watches. It keeps the connections of watches that stay the same, and closes the others. A new watch
// has no connection until Attend is called.
func (ws *Watches) Set(all map[netip.AddrPort]*Watch) {
	ws.pool.mu.Lock()
	defer ws.pool.mu.Unlock()
	before := ws.all
	ws.all = make(map[netip.AddrPort]*watching, len(all))
	for to, one := range all {
		w := before[to]
		if w == nil || w.Path != one.Path || w.Silence != one.Silence {
			w = &watching{fd: -1, slot: slot{index: -1}}
		}
		w.Watch, ws.all[to] = *one, w
	}
	for to, w := range before {
		if ws.all[to] != w {
			ws.rest(w)
		}
	}
}

// Attend is called when a check of a server that is up has passed, or when the server is down. In the first case it
// plans a connection if there is none; in the second, it closes the connection.
func (ws *Watches) Attend(to netip.AddrPort, up bool) {
	ws.pool.mu.Lock()
	defer ws.pool.mu.Unlock()
	w := ws.all[to]
	switch {
	case w == nil:
	case !up:
		blocked := w.fd >= 0 && w.tried >= maxBlocked
		ws.rest(w)
		w.pause, w.short = 0, 0
		if blocked {
			ws.giveUp(w, "none of its checks passes while the connection is open")
		}
	case w.fd >= 0:
		w.tried = 0
	case w.index < 0:
		half := w.pause / 2 // spread, because a rack ends all connections together
		w.due = ws.pool.now() + half + rand.N(half+1)
		heap.Push(&ws.dials, w)
		if w.due < ws.pool.planned {
			ws.pool.changed()
		}
	}
}

// rest closes the connection of a watch, and cancels a planned one.
func (ws *Watches) rest(w *watching) {
	if w.index >= 0 {
		heap.Remove(&ws.dials, w.index)
	}
	ws.hangUp(w)
}

// tend makes the connections that are due. It returns the moment at which the next connection is due, or the argument
// then if that is earlier.
func (ws *Watches) tend(now, then moment) moment {
	if len(ws.dials) == 0 || !ws.pool.hasLoop() {
		return then
	}
	ws.free = max(ws.free, now-Tick) // a wake-up makes the connections of the whole tick
	for len(ws.dials) > 0 {
		due := max(ws.dials[0].due, ws.free)
		if due > now {
			return min(due, then)
		}
		ws.free += dialEvery
		ws.dial(ws.pool.loop, heap.Pop(&ws.dials).(*watching), now)
	}
	return then
}

// dial makes the connection of a watch, unless the pool's room is full, or watches hold half of it: checks need the
// rest. After a failure the next check that passes causes another attempt. A refusal causes a check of each task. Other
// failures at this point, such as a shortage on this machine, prove nothing about the server.
func (ws *Watches) dial(l *loop, w *watching, now moment) {
	fd, err := -1, error(syscall.EMFILE)
	if len(ws.open) < ws.pool.room/2 && !ws.pool.isFull() {
		fd, err = wire.StartTCP(w.To, wire.ViaFrom(w.Path, w.To.Addr()))
	}
	if err == nil {
		w.fd, w.began, w.sent = fd, now, 0
		w.tried++
		ws.open[int32(fd)] = w
		if err = w.keepAlive(); err == nil {
			err = l.watch(fd, nil)
		}
	}
	if err != nil {
		ws.hangUp(w)
		w.grow(0)
		w.tried = 0
	}
	if err == syscall.ECONNREFUSED || w.tried == maxBlocked {
		ask(ws.pool, w.Tasks)
	}
}

// keepAlive makes our kernel probe the other end's kernel once every Silence, and end the connection if a probe gets no
// answer. TCP_USER_TIMEOUT replaces TCP_KEEPCNT here (see tcp(7)), and also ends an attempt to connect that gets no
// answer.
func (w *watching) keepAlive() error {
	if w.Silence == 0 {
		return nil
	}
	seconds := int32(w.Silence / time.Second)
	for _, o := range [...]struct {
		level, name int
		value       int32
	}{
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, seconds}, {unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, seconds},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 1}, {unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 1000 * seconds},
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
	} {
		if err := raw.SetOption(w.fd, o.level, o.name, o.value); err != nil {
			return err
		}
	}
	return nil
}

// grow sets the next pause according to how long the connection lasted.
func (w *watching) grow(lasted time.Duration) {
	if lasted >= w.Every {
		w.pause = 0
	}
	w.pause = min(max(2*w.pause, firstPause), w.Every)
}

// hangUp closes the connection of a watch, if it has one.
func (ws *Watches) hangUp(w *watching) {
	if w.fd >= 0 {
		delete(ws.open, int32(w.fd))
		raw.Close(w.fd)
		w.fd = -1
	}
}

// receive discards what a server sends, and notes the end of the connection. It ignores the loop's timer, which is not
// a connection.
func (ws *Watches) receive(l *loop, fd int32) {
	ws.pool.mu.Lock()
	defer ws.pool.mu.Unlock()
	w := ws.open[fd]
	if w == nil {
		return
	}
	for w.sent <= maxSent {
		n, err := raw.Read(w.fd, l.buf[:])
		switch {
		case err == syscall.EAGAIN:
			return
		case err == syscall.EINTR:
			continue
		case n <= 0:
			ws.ended(w, ws.pool.at(l.now))
			return
		}
		w.sent += n
	}
	ws.giveUp(w, "it sends more than 64 KiB without being asked")
}

// Ask requests all checks of a watched address at once, as far as the limit of extra checks allows.
func (ws *Watches) Ask(to netip.AddrPort) {
	ws.pool.mu.Lock()
	defer ws.pool.mu.Unlock()
	if w := ws.all[to]; w != nil {
		ask(ws.pool, w.Tasks)
	}
}

// ended requests a check of each task of a watch whose connection ended.
func (ws *Watches) ended(w *watching, now moment) {
	if ws.all[w.To] == w {
		ask(ws.pool, w.Tasks)
	}
	lasted := now - w.began
	w.tried = 0
	if w.short++; lasted >= shortLife {
		w.short = 0
	}
	w.grow(lasted)
	ws.hangUp(w)
	if w.short == maxShort {
		ws.giveUp(w, "it ends each connection within "+shortLife.String())
	}
}

// giveUp ends a watch until a later Set includes it, and reports why.
func (ws *Watches) giveUp(w *watching, why string) {
	ws.hangUp(w)
	if p := ws.pool; ws.all[w.To] == w {
		delete(ws.all, w.To)
		p.pending = append(p.pending,
			Update{Task: w.Tasks[0], Result: checker.Result{Detail: why}, Unwatched: true})
		p.tell(p.now())
	}
}

// close closes all connections when the pool ends.
func (ws *Watches) close() {
	for _, w := range ws.open {
		ws.hangUp(w)
	}
}
