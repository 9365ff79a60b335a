package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"

	"ldirectord/notify"
	"ldirectord/parser"
)

// Names without an answer are looked up again after so long, then after twice as long, and so on.
const (
	firstSeek = time.Second
	lastSeek  = time.Minute
)

// seek has names looked up, beside everything else, until at least one has an answer. It returns those that have.
func seek(ctx context.Context, resolver parser.Resolver, names []parser.Name, wait time.Duration) []parser.Name {
	for ; ; wait = min(2*wait, lastSeek) {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		found := parser.LookUp(ctx, resolver, names)
		found = slices.DeleteFunc(found, func(n parser.Name) bool { return n.Why != "" })
		if len(found) > 0 {
			return found
		}
	}
}

// unanswered are the names whose look-up failed.
func unanswered(names []parser.Name) (missing []parser.Name) {
	for _, n := range names {
		if n.Why != "" {
			missing = append(missing, n)
		}
	}
	return missing
}

// nameKey is what tells names apart.
type nameKey struct {
	host string
	ipv6 bool
}

// knownNames is a Resolver that knows what was found before, and asks nobody.
type knownNames map[nameKey]parser.Name

func known(names []parser.Name) knownNames {
	k := make(knownNames, len(names))
	for _, n := range names {
		k[nameKey{n.Host, n.IPv6}] = n
	}
	return k
}

// Host implements parser.Resolver.
func (k knownNames) Host(_ context.Context, name string, ipv6 bool) ([]netip.Addr, error) {
	n, ok := k[nameKey{name, ipv6}]
	switch {
	case !ok:
		return nil, errors.New("it was not looked up")
	case n.Why != "":
		return nil, errors.New(n.Why)
	}
	return []netip.Addr{n.Addr}, nil
}

// Port implements parser.Resolver.
func (k knownNames) Port(ctx context.Context, service, protocol string) (uint16, error) {
	return systemNames{}.Port(ctx, service, protocol)
}

// last tells the addresses that names have or had, and of others what otherwise tells.
func (k knownNames) last(otherwise parser.Last) parser.Last {
	return func(host string, ipv6 bool) netip.Addr {
		if n, ok := k[nameKey{host, ipv6}]; ok && n.Addr.IsValid() {
			return n.Addr
		}
		return otherwise(host, ipv6)
	}
}

// seek looks for the names that have no answer, first after wait. It ends the search before.
func (f *configFile) seek(ctx context.Context, wait time.Duration) {
	f.endSeek()
	missing := unanswered(f.loaded.config.Names)
	if len(missing) == 0 {
		return
	}
	ctx, f.endSeek = context.WithCancel(ctx)
	go func() {
		found := seek(ctx, systemNames{}, missing, wait)
		if found == nil {
			return
		}
		select {
		case f.found <- found:
		case <-ctx.Done():
		}
	}()
}

// learn takes names over that have an answer now. A file that is being read has them looked up itself.
func (f *configFile) learn(ctx context.Context, found []parser.Name) {
	if f.now != nil {
		return
	}
	now := known(found)
	names := slices.Clone(f.loaded.config.Names)
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
	if !moved {
		f.loaded.config.Names = names
		f.remember(names)
		f.seek(ctx, firstSeek)
		return
	}
	f.now = &reading{}
	old := f.loaded
	go func() { f.taken <- f.refine(ctx, old, names) }()
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

// refine makes the configuration with these addresses the current one. The file is not read again: that it may be
// another one by now is not asked for here.
func (f *configFile) refine(ctx context.Context, old *loaded, names []parser.Name) (t taken) {
	t.refines = true
	o := f.parserOptions()
	o.Resolver, o.Last, o.Wait = known(names), known(names).last(nothingKnown), true
	l := f.prepare(ctx, old.source, o)
	if l.plan == nil {
		f.say(notify.ConfigError, fmt.Sprintf("Error [%d]: addresses of names can't be taken over: %s", os.Getpid(), l.found.Errors()[0]))
		return t
	}
	l.forget()
	if f.install(ctx, old, l, f.director.Refine) == nil {
		t.loaded = l
	}
	return t
}

// refined notes what became of it, and tells how long to wait with the next look-up: what can't be taken over now
// won't be at once.
func (f *configFile) refined(t taken) time.Duration {
	if t.loaded == nil {
		return lastSeek
	}
	f.loaded = t.loaded
	f.remember(t.loaded.config.Names)
	return firstSeek
}

func nothingKnown(string, bool) netip.Addr { return netip.Addr{} }
