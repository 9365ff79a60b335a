package main

import (
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// The relay is a stand-in for the kernel: these bounds are its own.
const (
	dialTimeout = 2 * time.Second
	lifetime    = time.Minute // of one relayed connection
)

// relay forwards each connection to the virtual service to the real server that the table chooses. Like the kernel it
// refuses them while no server has a weight above zero.
type relay struct {
	virtual string
	table   func() (string, error) // the table now: read again for each connection
	turns   map[string]int         // weighted round robin: what each destination is owed
}

// serve accepts until the listener is closed, and returns when every connection has ended. The end of
// ctx cuts them.
func (r *relay) serve(ctx context.Context, l net.Listener) {
	var open sync.WaitGroup
	defer open.Wait()
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		to := r.next()
		open.Go(func() { pass(ctx, client.(*net.TCPConn), to) })
	}
}

// next chooses the destination of a new connection, "" when there is none.
func (r *relay) next() string {
	text, err := r.table()
	if err != nil {
		return ""
	}
	return turn(r.turns, dests(text, r.virtual))
}

// turn is smooth weighted round robin: each destination is owed its weight, and the one that is owed most is chosen and
// pays the sum of the weights.
func turn(owed map[string]int, all []dest) string {
	best, sum := "", 0
	for _, d := range all {
		if d.weight <= 0 {
			continue
		}
		owed[d.addr] += d.weight
		sum += d.weight
		if best == "" || owed[d.addr] > owed[best] {
			best = d.addr
		}
	}
	if best != "" {
		owed[best] -= sum
	}
	return best
}

// pass connects a client with a destination until both directions have ended, ctx or the lifetime has.
func pass(ctx context.Context, client *net.TCPConn, to string) {
	defer client.Close()
	conn, err := net.DialTimeout("tcp", to, dialTimeout)
	if err != nil { // also when to is empty
		client.SetLinger(0) // a reset, as from a closed port
		return
	}
	server := conn.(*net.TCPConn)
	defer server.Close()
	defer context.AfterFunc(ctx, func() { client.Close(); server.Close() })()
	end := time.Now().Add(lifetime)
	client.SetDeadline(end)
	server.SetDeadline(end)

	var both sync.WaitGroup
	both.Go(func() { io.Copy(server, client); server.CloseWrite() })
	both.Go(func() { io.Copy(client, server); client.CloseWrite() })
	both.Wait()
}
