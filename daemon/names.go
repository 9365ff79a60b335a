package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"

	"ldirectord/instance"
	"ldirectord/notify"
	"ldirectord/parser"
)

// Names without an answer are looked up again after minLookupRetry, then after twice as long, and so on.
const (
	minLookupRetry = time.Second
	maxLookupRetry = time.Minute
)

// awaitAnswers looks names up, first after wait, until at least one has an answer. It returns those that have.
func awaitAnswers(ctx context.Context, resolver parser.Resolver, names []parser.Name, wait time.Duration) []parser.Name {
	for ; ; wait = min(2*wait, maxLookupRetry) {
		if !instance.Pause(ctx, wait) {
			return nil
		}
		found := parser.LookUp(ctx, resolver, names)
		found = slices.DeleteFunc(found, func(n parser.Name) bool { return n.Why != "" })
		if len(found) > 0 {
			return found
		}
	}
}

// retryLookups looks up the names that have no answer, beside everything else, and ends the search before.
func (f *configFile) retryLookups(ctx context.Context, wait time.Duration) {
	f.endLookups()
	missing := unanswered(f.current.Config.Names)
	if len(missing) == 0 {
		return
	}
	ctx, f.endLookups = context.WithCancel(ctx)
	go func() {
		found := awaitAnswers(ctx, systemNames{}, missing, wait)
		if found == nil {
			return
		}
		select {
		case f.found <- found:
		case <-ctx.Done():
		}
	}()
}

// adoptNames adopts names that have an answer now.
func (f *configFile) adoptNames(ctx context.Context, found []parser.Name) {
	now := known(found)
	names := slices.Clone(f.current.Config.Names)
	moved := false
	for i, before := range names {
		n, ok := now[nameKey{before.Host, before.IPv6}]
		if !ok {
			continue
		}
		names[i] = n
		moved = moved || n.Addr != before.Addr
		f.say(notify.NameFound, foundText(before, n))
	}
	wait := minLookupRetry
	switch {
	case !moved:
		f.current.Config.Names = names
		f.remember()
	case !f.refine(ctx, names):
		wait = maxLookupRetry // it would be refused again
	}
	f.retryLookups(ctx, wait)
}

func foundText(before, now parser.Name) string {
	switch {
	case !before.Addr.IsValid():
		return fmt.Sprintf("The name %s has an address now: %s", now.Host, now.Addr)
	case before.Addr == now.Addr:
		return fmt.Sprintf("The name %s can be looked up again, its address is still %s", now.Host, now.Addr)
	default:
		return fmt.Sprintf("The name %s can be looked up again, its address was %s and is %s", now.Host, before.Addr, now.Addr)
	}
}

// refine puts the configuration with these addresses in force. The file is not read again: whether it has changed does
// not matter here. It reports whether the director has taken the addresses.
func (f *configFile) refine(ctx context.Context, names []parser.Name) bool {
	o := f.d.Config.parserOptions()
	o.Resolver, o.Last, o.Wait = known(names), known(names).last(nothingKnown), true
	l := f.d.Config.prepare(ctx, f.current.Text, o)
	if l.Plan == nil {
		f.say(notify.ConfigError, fmt.Sprintf("Error [%d]: addresses of names can't be taken over: %s", os.Getpid(), l.Found.Errors()[0]))
		return false
	}
	l.forget()
	if f.install(ctx, l, f.d.director.Refine) != nil {
		return false
	}
	f.current = l
	f.remember()
	f.tls.follow(l)
	return true
}

// remember keeps the addresses of the names for the next time that they can't be looked up.
func (f *configFile) remember() {
	names := f.current.Config.Names
	f.d.tally.setNames(names)
	f.d.failed(notify.HookFailed, "Addresses of names can't be kept", nameFile(f.d.lock.Names).write(names))
}

func nothingKnown(string, bool) netip.Addr { return netip.Addr{} }
