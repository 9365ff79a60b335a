package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"ldirectord/director"
	"ldirectord/instance"
	"ldirectord/notify"
)

// How long the daemon may take for an order.
const (
	OrderTimeout  = 5 * time.Second // one that the table follows at once
	ReloadTimeout = time.Minute     // a file: looking names up and a slow table may take their time
)

// refusal says why an order is not carried out, in words for who gave it.
type refusal string

func (r refusal) Error() string { return string(r) }

// orders are what the daemon was told beside its configuration: its role, and what is ordered for servers. One order is
// carried out after the other. The files of the orders are for the next daemon, and for commands that got no answer.
type orders struct {
	d     *daemon
	turn  chan struct{} // full while an order is carried out, see inTurn
	leave chan struct{} // gets one when the daemon is to end

	// What follows belongs to who has the turn.
	role    instance.RoleOrder
	unsaved bool            // the role is not in its file
	given   director.Orders // that the director has
}

// newOrders returns the orders that a daemon before left. A daemon whose role can't be read serves.
func newOrders(d *daemon) *orders {
	o := &orders{d: d, turn: make(chan struct{}, 1), leave: make(chan struct{})}
	var err error
	o.given, err = o.orderFile().read()
	d.failed(notify.HookFailed, "Orders for servers can't be read", err)
	o.role, err = o.roleFile().Read()
	d.recorded(err)
	return o
}

// follow carries out, until ctx is done, what commands recorded that got no answer.
func (o *orders) follow(ctx context.Context) {
	go followFile(ctx, o.d.lock.Drain, func() bool { return o.inOwnTurn(ctx, o.followGiven) })
	followFile(ctx, o.d.lock.Role, func() bool { return o.inOwnTurn(ctx, o.followRole) })
}

// inOwnTurn carries out what nobody waits for, and reports whether that succeeded.
func (o *orders) inOwnTurn(ctx context.Context, order func(context.Context) bool) bool {
	release, err := o.inTurn(ctx)
	if err != nil {
		return false
	}
	defer release()
	return order(ctx)
}

// keep saves again what could not be saved or was lost, and drops orders for servers that are over.
func (o *orders) keep(ctx context.Context) {
	o.inOwnTurn(ctx, func(ctx context.Context) bool {
		if o.unsaved || o.role.Role != instance.NoRole && !instance.Exists(o.d.lock.Role) {
			_ = o.saveRole(o.role) // reported before
		}
		o.keepGiven(ctx)
		return true
	})
}

// inTurn waits until no other order is carried out.
func (o *orders) inTurn(ctx context.Context) (release func(), err error) {
	select {
	case o.turn <- struct{}{}:
		return func() { <-o.turn }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("the daemon is at another order: %w", context.Cause(ctx))
	}
}

// isAwaited returns an error when who gave an order has given up. The order was recorded then, and later ones of others
// may be in the file by now.
func isAwaited(ctx context.Context) error {
	if who, asked := ctx.Value(clientKey{}).(*client); asked && who.hasGone() {
		return errors.New("nobody waits for it any more")
	}
	return nil
}

// answerOrder answers an order with its outcome.
func answerOrder(limit time.Duration, carryOut func(context.Context, url.Values) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !clientOf(r).isOwner() {
			http.Error(w,
				"orders are taken from root and who runs the daemon alone; the members of "+
					"statusgroup may ask for its status", http.StatusForbidden)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(limit + writeTimeout)) // a socket can
		answer, err := carryOut(ctx, r.URL.Query())
		writeAnswer(w, answer, err, statusOf(ctx, err))
	}
}

// writeAnswer answers with JSON, or says with an HTTP status why there is none.
func writeAnswer(w http.ResponseWriter, answer any, err error, failure int) {
	if err != nil {
		http.Error(w, err.Error(), failure)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // an error is the client's
}

// statusOf is the HTTP status of an order that was refused, came too late, or takes too long.
func statusOf(ctx context.Context, err error) int {
	_, refused := errors.AsType[refusal](err)
	switch {
	case refused:
		return http.StatusConflict
	case ctx.Err() == context.Canceled:
		return http.StatusServiceUnavailable
	default:
		return http.StatusGatewayTimeout
	}
}
