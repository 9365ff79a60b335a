package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"ldirectord/notify"
	"ldirectord/parser"
	"ldirectord/run"
)

// Names without an answer are looked up again after minLookupRetry, then after twice as long, and so on.
const (
	minLookupRetry = time.Second
	maxLookupRetry = time.Minute
)

// lookUp looks names of a configuration up again.
type lookUp func(ctx context.Context, names []parser.Name) []parser.Name

// awaitChange looks names up, first after wait and then after what next makes of the last wait, until at least one has
// another address, or has an answer and had none, or the other way round. It returns those.
func awaitChange(ctx context.Context, lookUp lookUp, names []parser.Name, wait time.Duration,
	next func(time.Duration) time.Duration) []parser.Name {
	before := known(names)
	for ; ; wait = next(wait) {
		if !run.Pause(ctx, wait) {
			return nil
		}
		found := lookUp(ctx, names)
		found = slices.DeleteFunc(found, func(n parser.Name) bool {
			was := before[nameKey{n.Host, n.IPv6}]
			if n.Why != "" || was.Why != "" {
				return n.Why != "" && was.Why != "" // it has no answer yet
			}
			return n.Addr == was.Addr
		})
		if ctx.Err() != nil {
			return nil // what failed did so because it was ended
		}
		if len(found) > 0 {
			return found
		}
	}
}

// followNames looks names up again, beside everything else, and ends the search before: those that have no answer first
// after wait, and with resolve the others at its intervals, which begin when the file was taken over.
func (f *configFile) followNames(ctx context.Context, wait time.Duration) {
	f.endLookups()
	ctx, f.endLookups = context.WithCancel(ctx)
	cfg, longest := f.current.Config, maxLookupRetry
	if every := cfg.Global.Resolve.Duration(); every > 0 {
		longest = min(longest, every)
		f.search(ctx, followed(cfg.Names), every-time.Since(f.adopted)%every,
			func(time.Duration) time.Duration { return every })
	}
	f.search(ctx, unanswered(cfg.Names), wait, upTo(longest))
}

// upTo doubles a wait, up to the longest.
func upTo(longest time.Duration) func(time.Duration) time.Duration {
	return func(wait time.Duration) time.Duration { return min(2*wait, longest) }
}

func (f *configFile) search(ctx context.Context, names []parser.Name, wait time.Duration,
	next func(time.Duration) time.Duration) {
	if len(names) == 0 {
		return
	}
	cfg := f.current.Config
	lookUp := func(ctx context.Context, names []parser.Name) []parser.Name {
		return cfg.LookUp(ctx, parser.Options{Resolver: systemNames{}, Own: ownAddress()}, names)
	}
	go func() {
		found := awaitChange(ctx, lookUp, names, wait, next)
		if found == nil {
			return
		}
		select {
		case f.found <- found:
		case <-ctx.Done():
		}
	}()
}

// adoptNames adopts what became of names that were looked up again.
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
		f.d.say(news(before, n))
	}
	wait := minLookupRetry
	switch {
	case !moved:
		f.current.Config.Names = names
		f.remember()
	case !f.refine(ctx, names):
		wait = maxLookupRetry // it would be refused again
	}
	f.followNames(ctx, wait)
}

// news is what became of a name.
func news(before, now parser.Name) (kind notify.Kind, text string) {
	switch {
	case now.Why != "":
		return notify.NameLost, fmt.Sprintf("The name %s cannot be looked up, its last address %s stays: %s",
			now.Host, now.Addr, now.Why)
	case !before.Addr.IsValid():
		return notify.NameFound, fmt.Sprintf("The name %s has an address now: %s", now.Host, now.Addr)
	case before.Why == "":
		return notify.NameMoved, fmt.Sprintf("The name %s has another address: it was %s and is %s", now.Host,
			before.Addr, now.Addr)
	case before.Addr == now.Addr:
		return notify.NameFound, fmt.Sprintf("The name %s can be looked up again, its address is still %s",
			now.Host, now.Addr)
	default:
		return notify.NameFound, fmt.Sprintf("The name %s can be looked up again, its address was %s and is %s",
			now.Host, before.Addr, now.Addr)
	}
}

// refine puts the configuration with these addresses in force. The file is not read again: whether it has changed does
// not matter here. It reports whether the director has taken the addresses.
func (f *configFile) refine(ctx context.Context, names []parser.Name) bool {
	o := f.d.Config.parserOptions()
	o.Resolver, o.Last = known(names), known(f.inService(ctx)).last(o.Last)
	o.Before, o.Refines = f.current.Config, true
	l := f.d.Config.prepare(ctx, f.current.Text, o)
	if l.Plan == nil {
		f.d.refused("addresses of names can't be taken over: " + l.Found.Errors()[0].String())
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

// inService are the names of the configuration in force. Of their earlier addresses they have those at which servers
// are in service yet; when that can't be known, all.
func (f *configFile) inService(ctx context.Context) []parser.Name {
	names := slices.Clone(f.current.Config.Names)
	if len(followed(names)) == 0 {
		return names
	}
	now, err := f.d.director.Snapshot(ctx)
	if err != nil {
		return names
	}
	serves := map[netip.Addr]bool{}
	for _, s := range now.Each() {
		serves[s.Addr.Addr()] = serves[s.Addr.Addr()] || s.Moved
	}
	for i := range names {
		names[i].Earlier = slices.DeleteFunc(slices.Clone(names[i].Earlier),
			func(a netip.Addr) bool { return !serves[a] })
	}
	return names
}
