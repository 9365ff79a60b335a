package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/sys/unix"
)

// How long the daemon may be at an order.
const (
	takeTime     = 5 * time.Second // at one that the table follows at once
	takeOverTime = time.Minute     // at a file: looking names up and a table that is slow may take their time
)

// notDone says why an order is not carried out, in the words for who gave it.
type notDone string

func (n notDone) Error() string { return string(n) }

// ordered answers an order with what became of it. Orders are taken from the owner alone.
func ordered(limit time.Duration, carryOut func(context.Context, url.Values) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !askerOf(r).isOwner() {
			http.Error(w, "orders are taken from root and who runs the daemon alone; the members of statusgroup may ask for its status", http.StatusForbidden)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(limit + answerTime)) // a socket can
		answer, err := carryOut(ctx, r.URL.Query())
		if err != nil {
			http.Error(w, err.Error(), statusOf(ctx, err))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer) // an error is the client's
	}
}

// statusOf tells an order that is refused from one that came too late, and from one that takes too long.
func statusOf(ctx context.Context, err error) int {
	var refused notDone
	switch {
	case errors.As(err, &refused):
		return http.StatusConflict
	case ctx.Err() == context.Canceled:
		return http.StatusServiceUnavailable
	default:
		return http.StatusGatewayTimeout
	}
}

// inTurn waits until no other order is carried out.
func (d *daemon) inTurn(ctx context.Context) (release func(), err error) {
	select {
	case d.turn <- struct{}{}:
		return func() { <-d.turn }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("the daemon is at another order: %w", context.Cause(ctx))
	}
}

// isAwaited is an error when who gave an order has given up: it is recorded then, where later ones of others may
// stand by now.
func isAwaited(ctx context.Context) error {
	if who, asked := ctx.Value(askerKey{}).(*asker); asked && who.hasGone() {
		return errors.New("nobody waits for it any more")
	}
	return nil
}

// hasGone reports whether who sent a request has closed the connection.
func (a *asker) hasGone() bool {
	gone := false
	a.control(func(fd int) {
		n, _, err := unix.Recvfrom(fd, make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		gone = err == nil && n == 0 || err != nil && err != unix.EAGAIN
	})
	return gone
}

// rereading is an order to read the file again.
type rereading struct {
	via    []string     // the files whose daemons passed it on
	answer chan<- taken // has room for one
}

// answerReload answers when the reading that began after the order came was taken over or refused.
func (d *daemon) answerReload(ctx context.Context, words url.Values) (any, error) {
	answer := make(chan taken, 1)
	select {
	case d.rereads <- rereading{words["via"], answer}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	select {
	case t := <-answer:
		if t.loaded == nil {
			return nil, notDone("the file is refused: " + t.why)
		}
		return struct{}{}, nil
	case <-ctx.Done():
		if ctx.Err() == context.DeadlineExceeded {
			return nil, fmt.Errorf("it has not taken the file over after %v", takeOverTime)
		}
		return nil, fmt.Errorf("it ended before it had read the file: %w", context.Cause(ctx))
	}
}
