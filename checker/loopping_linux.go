package checker

import (
	"container/heap"
	"context"
	"time"

	"ldirectord/checker/icmp"
)

// echoed is how an echo request of a flight ended.
type echoed struct {
	flight *flight
	took   time.Duration
	err    error
}

// ping asks a server for an echo, together with all others that are asked now.
func (l *loop) ping(f *flight) {
	f.echo.To = f.ping.target
	f.asked++
	l.echoes = append(l.echoes, &f.echo)
	l.pinger = f.ping.pinger.(echoer)
}

// sendEchoes sends the echo requests. All checks share one pinger.
func (l *loop) sendEchoes() {
	if len(l.echoes) > 0 {
		l.pinger.Send(l.echoes)
		clear(l.echoes)
		l.echoes, l.pinged = l.echoes[:0], true
	}
}

// noteEcho may be called from any goroutine. A loop that wakes soon anyway is not woken for one reply.
func (l *loop) noteEcho(e echoed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.echoed = append(l.echoed, e)
	if l.asleep {
		l.asleep = false
		l.poll.SetReadDeadline(longAgo)
	}
}

func (l *loop) takeEchoes(ctx context.Context) {
	l.mu.Lock()
	l.taken, l.echoed = l.echoed, l.taken[:0]
	l.mu.Unlock()
	l.pinged = false
	for _, e := range l.taken {
		l.finish(ctx, e.flight, e.flight.ping.result(ctx, e.took, e.err))
	}
	clear(l.taken)
}

// endOfPing continues a ping whose deadline has passed: silence is asked again, up to checkcount times.
func (l *loop) endOfPing(ctx context.Context, f *flight, now time.Time) {
	pinger := f.ping.pinger.(echoer)
	rest, err := pinger.Rest(&f.echo, f.timeout)
	if rest == 0 && pinger.Forget(&f.echo) {
		if !isTimeout(err) || f.asked == f.ping.attempts {
			l.finish(ctx, f, f.ping.result(ctx, 0, err))
			return
		}
		l.ping(f)
		rest = f.timeout
	}
	f.end = now.Add(max(rest, lookEvery)) // without rest its end was just told
	heap.Fix(&l.ends, f.index)
}

// pings is what the loop has of them.
type pings struct {
	pinger echoer
	echoes []*icmp.Echo // to be sent
	taken  []echoed
	pinged bool // since the last wait
}
