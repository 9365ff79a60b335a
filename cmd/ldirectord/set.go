package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"ldirectord/internal/daemon"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/runfile"
	"ldirectord/internal/socket"
)

// idleInterval is the interval at which a waiting command asks for the state of servers or counts their connections.
const idleInterval = 200 * time.Millisecond

// order makes the action of a command that gives one kind of order. The order is for real servers or, if whole is set,
// for a virtual service, one address or all addresses. With --off the command takes the order back.
func order(kind orders.Kind, whole bool) action {
	return func(c *call) error {
		what, servers := kind, c.args
		if c.Off {
			what = orders.Ready
		}
		if whole {
			servers = []string{append(c.args, orders.EveryAddress)[0], ""}
		}
		return setServers(c, servers, string(what))
	}
}

// set gives an order for real servers. The order is at the end of the command line.
func set(c *call) error {
	at := len(c.args) - 1
	if _, err := strconv.Atoi(c.args[at]); err == nil || c.args[at-1] == string(orders.Weigh) {
		at-- // a number belongs to the word before it, even a misspelt one
	}
	servers, what := c.args[:at], strings.Join(c.args[at:], " ")
	if len(servers) < 1 || len(servers) > 2 {
		return misused("set %s: %s must come after set", strings.Join(c.args, " "), c.command.Takes)
	}
	return setServers(c, servers, what)
}

// setServers gives an order for servers, a virtual service or addresses. With --wait it also waits until the order has
// been carried out.
func setServers(c *call, servers []string, what string) error {
	words := wordsFor(servers)
	order, err := readOrder(c, words, what)
	if err != nil {
		return misused("%s: %w", c.verb, err)
	}
	var answer daemon.SetAnswer
	err = c.socket().Order(c.ctx, daemon.OrderTimeout+order.WaitBudget, "/set", words, &answer)
	unheard := errors.Is(err, socket.ErrEnding) || errors.Is(err, socket.ErrNoAnswer)
	if errors.Is(err, socket.ErrNoListener) || unheard && order.WaitBudget == 0 {
		if refused := c.load(); refused != nil {
			return refused
		}
		unanswered := err
		answer, err = daemon.Record(c.ctx, c.instance(), c.Plan, order)
		err = cmp.Or(err, unconfirmed(c, unanswered))
	}
	if err != nil {
		return err
	}
	tellOrdered(c, order, answer)
	return awaitOrdered(c, order, answer)
}

// awaitOrdered waits, with --wait, until an order has been carried out. If the order can't withdraw some addresses, the
// result is an error in any case.
func awaitOrdered(c *call, order orders.Request, answer daemon.SetAnswer) (left error) {
	if len(answer.Left) > 0 {
		left = fmt.Errorf("the order is recorded, but %s", strings.Join(answer.Left, "; "))
	}
	isOthers := func(s daemon.OrderedServer) bool { return s.Owner != "" || s.Real == "" }
	servers := slices.DeleteFunc(answer.Servers, isOthers)
	if !c.Wait || left != nil && len(answer.Services) == 0 {
		return left
	}
	c.flush()
	if len(answer.Beside) > 0 {
		return errors.Join(fmt.Errorf("the order is recorded, but --wait is not possible: the packets to "+
			"all addresses of a mark are counted together, and others stay announced: %s",
			strings.Join(answer.Beside, ", ")), left)
	}
	if order.Kind == orders.Withdraw {
		return errors.Join(awaitCarried(c, answer.Services, "packets still arrive", quiet()), left)
	}
	var keys []lvs.Key
	for _, s := range servers {
		keys = append(keys, s.Key)
	}
	return awaitCarried(c, keys, "connections are left", idle(servers))
}

// readOrder adds the options to the words of an order, and parses them as the daemon does.
func readOrder(c *call, words url.Values, what string) (orders.Request, error) {
	words.Set("order", what)
	words.Set("why", c.Why)
	words.Set("from", c.From)
	words.Set("until", c.Until)
	words.Set("for", c.For)
	if c.Force {
		words.Set("force", "")
	}
	words.Set("wait-budget", c.WaitBudget.String())
	order, err := orders.Parse(words)
	switch {
	case err != nil:
	case c.WaitBudget != 0 && !order.TakesOut():
		err = errors.New("--wait-budget works only with drain, maint and weight 0")
	case c.Wait && order.Waits():
		err = errors.New("--wait does not work with --from")
	case c.Wait && !order.TakesOut() && order.Kind != orders.Withdraw:
		err = errors.New("--wait works only with drain, maint, weight 0 and withdraw")
	}
	return order, err
}

// tellOrdered prints what the order does.
func tellOrdered(c *call, order orders.Request, answer daemon.SetAnswer) {
	var list []orderedServer
	for _, s := range answer.Servers {
		list = append(list, orderedServer{s.Backend, order.What(), order.From, s.Waits})
		switch {
		case c.answer != nil:
		case len(answer.Left) == 0:
			printOrdered(c, order, s)
		case s.Virtual == orders.EveryAddress && len(answer.Services) > 0:
			c.tell("every other address is withdrawn")
		}
		if s.Waits && order.Kind != orders.Ready {
			c.warn("%s has no address yet; the order applies when it has one", s.Real)
		}
		if s.Owner != "" {
			c.warn("%s belongs to %s; the order applies when this daemon takes it over", s.Virtual, s.Owner)
		}
	}
	if c.answer != nil {
		c.answer["servers"] = list
	} else if order.Waits() {
		c.tell("begins at %s, or later, when enough servers are left", when(order.From))
	}
	for _, order := range answer.Undone {
		c.warn("a waiting order is undone: %s", order)
	}
	for _, order := range answer.Replaced {
		c.warn("an order is replaced: %s", order)
	}
	for _, why := range answer.Short {
		c.warn("if it began now, it would have to wait: %s", why)
	}
	for _, id := range answer.Refusing {
		c.warn(
			"warning: %s refuses the clients of a drained server: "+
				"its scheduler needs schedflags=sh-fallback or mh-fallback", id)
	}
}

// orderedServer is the server and the order, for JSON.
type orderedServer struct {
	lvs.Backend
	Order string    `json:"order"`
	From  time.Time `json:"from,omitzero"` // it begins at this time
	Waits bool      `json:"waits_for_address,omitempty"`
}

func printOrdered(c *call, order orders.Request, s daemon.OrderedServer) {
	at := s.Backend
	address := strings.Replace(at.String(), orders.EveryAddress, "every address", 1)
	switch withdraws := order.Kind == orders.Withdraw; {
	case s.Fresh && order.TakesBack():
		none := "%s: there was no order"
		if c.verb == "undrain" {
			none = "%s was not drained"
		}
		if s.Fallen {
			none += "; it comes back as soon as it passes"
		}
		c.tell(none, address)
	case withdraws:
		c.tell("%s is withdrawn", address)
	case order.Kind == orders.Announce:
		c.tell("%s is announced while its services serve", address)
	case at.Real == "" && order.Kind == orders.Obey:
		latest := order.Expiry()
		if latest != "" {
			latest = ", at the latest" + latest
		}
		c.tell("the checks of %s may remove every server, until all are up%s", at, latest)
	case at.Real == "":
		// the directive of a virtual service that has left the file is not known
		c.tell("%s guards %s again", cmp.Or(s.Guard, "keepserving"), at)
	case !order.Waits() && (c.verb == "drain" || c.verb == "undrain"):
		c.tell("%sed %s", c.verb, at)
	case order.Kind == orders.Ready:
		c.tell("%s: order removed", at)
	default:
		c.tell("%s: %s", at, order.StringFor(s.Weight))
	}
}

// unconfirmed returns the error for an order that is recorded but not confirmed by a daemon. If no daemon is running
// for the file, not even elsewhere, the exit status is exitOK unless --wait was given. If our daemon runs without a
// control socket, the error is nil unless --wait was given, because the daemon follows the recorded orders.
func unconfirmed(c *call, unanswered error) error {
	found := c.found()
	switch {
	case found.Pid == 0 || errors.Is(unanswered, socket.ErrEnding):
		if there := c.elsewhere(); there != nil {
			return fmt.Errorf("recorded for the next start on this table; %w", there)
		}
		recorded := fmt.Errorf("recorded; no daemon is running for %s, so the order takes effect at the "+
			"next start", c.path)
		if c.Wait {
			return recorded
		}
		return exit{exitOK, recorded}
	case errors.Is(unanswered, socket.ErrNoAnswer):
		return fmt.Errorf("%w; the order is recorded, and the daemon with pid %d follows it as soon as it can",
			unanswered, found.Pid)
	case found.IsPerl():
		return fmt.Errorf("%w; the order applies from the next start of this program",
			cmp.Or(c.perlRuns(), unanswered))
	case c.Wait:
		return fmt.Errorf(
			"the daemon with pid %d follows the order, but does not report it: --wait is not possible",
			found.Pid)
	}
	return nil
}

// awaitCarried waits until virtual services meet a condition, for no longer than --timeout. For a table in memory,
// which it can't read, it does not wait.
func awaitCarried(c *call, keys []lvs.Key, left string, done func(lvs.Table) bool) error {
	if c.table.Live == nil {
		return nil
	}
	if err := c.table.Connect(c.ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.ctx, c.Timeout)
	defer cancel()
	for {
		read, err := c.table.Services(ctx, keys...)
		if err != nil {
			return err
		}
		if done(read) {
			return nil
		}
		if !runfile.Pause(ctx, idleInterval) {
			return fmt.Errorf("%s after %v", left, c.Timeout)
		}
	}
}

// idle returns a function that reports whether servers have no active connections.
func idle(servers []daemon.OrderedServer) func(lvs.Table) bool {
	return func(read lvs.Table) bool {
		return !slices.ContainsFunc(servers, func(s daemon.OrderedServer) bool {
			return read[s.Key].Counters[s.Addr].Active > 0
		})
	}
}

// quietTime is the time without packets after which a withdrawn address counts as quiet.
const quietTime = 3 * time.Second

// quiet returns a function that reports whether the packet count has not changed for quietTime. Packets to fallback
// servers, to servers that left the file, and to those added by hand also count. The number of connections would not
// do: with gate, connections continue through another director, but their entries stay in the table here.
func quiet() func(lvs.Table) bool {
	last, since := uint64(0), time.Now()
	return func(read lvs.Table) bool {
		packets := uint64(0)
		for _, service := range read {
			for _, carry := range service.Counters {
				packets += carry.Traffic.PacketsIn
			}
		}
		if packets != last {
			last, since = packets, time.Now()
		}
		return time.Since(since) >= quietTime
	}
}
