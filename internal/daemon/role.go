package daemon

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strconv"
	"sync"
	"time"

	"ldirectord/internal/instance"
	"ldirectord/internal/notify"
	"ldirectord/internal/orders"
	"ldirectord/internal/runfile"
	"ldirectord/internal/socket"
)

// RoleAnswer is the outcome of an order that concerns the role.
type RoleAnswer struct {
	Role    instance.Role `json:"role"`
	Unsaved string        `json:"unsaved,omitempty"` // why the role could not be saved for the next daemon
}

func (o *standingOrders) roleFile() instance.RoleFile { return instance.RoleFile(o.d.lock.Role) }

// answerRole carries out an order and saves it for the next daemon. It does so even if the command is killed in the
// meantime, because the context running ends later than the request's ctx. If the order stops the daemon, the answer is
// sent before the daemon exits.
func (o *standingOrders) answerRole(running, ctx context.Context, words url.Values) (any, error) {
	if err := orders.Known(words, "to", "given", "via"); err != nil {
		return nil, socket.Refused(err.Error())
	}
	change := instance.RoleChange(words.Get("to"))
	if !change.IsKnown() {
		return nil, socket.Refused(fmt.Sprintf("%q is not a role: %s, %s and %s are allowed", change,
			instance.ToServe, instance.ToLeave, instance.ToStayUp))
	}
	given := runfile.SinceBoot()
	if ns, err := strconv.ParseInt(words.Get("given"), 10, 64); err == nil {
		given = min(given, time.Duration(ns))
	}
	var answer RoleAnswer
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		answer, err = o.changeRole(running, change, given, words["via"])
	}()
	select {
	case <-done:
		return answer, err
	case <-ctx.Done():
	}
	if running.Err() != nil { // the daemon is stopping, perhaps because of this order
		<-done
		return answer, err
	}
	return nil, fmt.Errorf("the order has not been carried out yet: %w", context.Cause(ctx))
}

// newestRole is the newest order to serve or to leave, which may still wait for its turn.
type newestRole struct {
	mu      sync.Mutex
	given   time.Duration
	outruns context.CancelFunc // ends the wait for the last demotion; nil: there was none
}

// note notes an order that arrives. A newer order to serve ends the wait for a demotion.
func (n *newestRole) note(change instance.RoleChange, given time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if change == instance.ToStayUp || given < n.given {
		return
	}
	if n.given = given; change == instance.ToServe && n.outruns != nil {
		n.outruns()
	}
}

// outrun reports whether a newer order makes a demotion pointless.
func (n *newestRole) outrun(change instance.RoleChange, given time.Duration) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return change == instance.ToLeave && given < n.given
}

// demotes notes a demotion that begins, perhaps a recorded one. The context that it returns ends when a newer order to
// serve arrives. If a newer order has arrived already, the context ends at once.
func (n *newestRole) demotes(ctx context.Context, given time.Duration) (context.Context, context.CancelFunc) {
	n.mu.Lock()
	defer n.mu.Unlock()
	ctx, n.outruns = context.WithCancel(ctx)
	if n.given > given {
		n.outruns()
	}
	n.given = max(n.given, given)
	return ctx, n.outruns
}

// changeRole carries out an order in its turn, unless an order that was given later has already been carried out.
func (o *standingOrders) changeRole(ctx context.Context, change instance.RoleChange, given time.Duration,
	via Via) (RoleAnswer, error) {
	o.newest.note(change, given)
	release, err := o.inTurn(ctx)
	if err != nil {
		return RoleAnswer{}, err
	}
	defer release()
	if given < o.role.Given || o.newest.outrun(change, given) {
		return RoleAnswer{Role: o.role.Role}, nil
	}
	now := instance.RoleOrder{Role: change.After(o.role.Role), Given: given}
	answer := RoleAnswer{Role: now.Role}
	if now != o.role || o.unsaved {
		if err := o.saveRole(now); err != nil {
			answer.Unsaved = err.Error()
		}
	}
	return answer, o.setRole(ctx, now, via)
}

// saveRole saves an order for the next daemon.
func (o *standingOrders) saveRole(now instance.RoleOrder) error {
	err := o.roleFile().Write(now)
	o.kept(err)
	o.unsaved = err != nil
	return err
}

// kept reports the first of consecutive failures to save the role for the next daemon. If err is nil, an earlier
// failure is over.
func (o *standingOrders) kept(err error) {
	if again := o.unkept.Swap(err != nil); err == nil || !again {
		o.d.settled(notify.KeepFailed, "The role can't be kept for the next start", err)
	}
}

// setRole carries out an order in this daemon and in the siblings. A demotion that is outrun does not reach the
// siblings. setRole fails only when ctx is done.
func (o *standingOrders) setRole(ctx context.Context, now instance.RoleOrder, via Via) error {
	before := o.role
	o.role = now
	if now.Role == before.Role && !o.outrun {
		if now.Role.StaysUp() && now.Given > before.Given { // a sibling may have got another order meanwhile
			o.d.siblings.follow(now, via)
		}
		return nil
	}
	var err error
	if o.outrun, err = o.setStandby(ctx, now); o.outrun || err != nil {
		return err
	}
	if now.Role != instance.Stopped {
		o.d.siblings.follow(now, via)
		return nil
	}
	_ = o.end(ctx, via)
	return nil
}

// answerLeave stops the daemon as TERM does, even if the command that asked has gone. The siblings that passed the stop
// on are left alone.
func (o *standingOrders) answerLeave(ctx context.Context, words url.Values) (any, error) {
	if err := orders.Known(words, "via"); err != nil {
		return nil, socket.Refused(err.Error())
	}
	return struct{}{}, o.end(ctx, words["via"])
}

// end makes the daemon stop, unless ctx is done first.
func (o *standingOrders) end(ctx context.Context, via Via) error {
	select {
	case o.leave <- via:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// setStandby promotes or demotes the director. It stops waiting for a demotion when a newer order to serve arrives,
// which then cancels the demotion: the demotion is outrun.
func (o *standingOrders) setStandby(ctx context.Context, now instance.RoleOrder) (outrun bool, err error) {
	if now.Role != instance.Standby {
		return false, o.d.director.SetStandby(ctx, false)
	}
	wait, end := o.newest.demotes(ctx, now.Given)
	defer end()
	err = o.d.director.SetStandby(wait, true)
	if wait.Err() != nil && ctx.Err() == nil {
		return true, nil
	}
	return false, err
}

// followRole carries out a recorded order, unless an order that was given later has already been carried out. It
// returns false if the file must be read again even if it does not change.
func (o *standingOrders) followRole(ctx context.Context) bool {
	lost := !runfile.Exists(o.d.lock.Role)
	last, err := o.roleFile().Read()
	again := runfile.MayPass(err)
	if !again || !o.unread {
		o.d.settled(notify.KeepFailed, roleUnread, err)
	}
	if o.unread = again; err != nil {
		return !again
	}
	if lost {
		return true // a lost file is not an order
	}
	last.Given = cmp.Or(last.Given, runfile.SinceBoot())           // 0: the file does not have it
	if last.Role == instance.NoRole || last.Given < o.role.Given { // an emptied file is not an order either
		o.unsaved = o.role.Role != last.Role
		return true
	}
	o.unsaved = false
	o.kept(nil)
	return o.setRole(ctx, last, nil) == nil
}
