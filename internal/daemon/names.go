package daemon

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"ldirectord/internal/notify"
	"ldirectord/internal/resolve"
)

// Names without an answer are looked up again after minLookupRetry, then after twice as long, and so on up to
// maxLookupRetry.
const (
	minLookupRetry = time.Second
	maxLookupRetry = time.Minute
)

// longer returns the wait after a further failure: twice the previous wait, within the limits above. The argument last
// is the previous wait, or 0.
func longer(last time.Duration) time.Duration {
	return min(max(2*last, minLookupRetry), maxLookupRetry)
}

// followNames stops the previous look-ups, and looks names up again in the background. Names without an answer are
// first looked up after wait. If resolve is set, the other names that are followed are looked up at that interval,
// which starts when the configuration is adopted.
func (f *configFile) followNames(ctx context.Context, wait time.Duration) {
	f.endLookups()
	ctx, f.endLookups = context.WithCancel(ctx)
	cfg, longest := f.current.Config, maxLookupRetry
	if every := cfg.Global.Resolve.Duration(); every > 0 {
		longest = min(longest, every)
		f.search(ctx, resolve.Followed(cfg.Names), every-time.Since(f.adopted)%every, every, every)
	}
	f.search(ctx, resolve.Unanswered(cfg.Names), wait, 0, longest)
}

func (f *configFile) search(ctx context.Context, list []resolve.Name, wait, shortest, longest time.Duration) {
	if len(list) == 0 {
		return
	}
	cfg := f.current.Config
	lookUp := func(ctx context.Context) []resolve.Name {
		source := resolve.Source{Resolver: newSystemNames(), Own: ownAddress()}
		return source.LookUp(ctx, list, cfg.OwnAddresses())
	}
	go func() {
		found := resolve.Await(ctx, lookUp, list, wait, shortest, longest)
		if found == nil {
			return
		}
		select {
		case f.found <- found:
		case <-ctx.Done():
		}
	}()
}

// adoptNames adopts the results of repeated look-ups.
func (f *configFile) adoptNames(ctx context.Context, found []resolve.Name) {
	now := resolve.Index(found)
	list := slices.Clone(f.current.Config.Names)
	moved := false
	for i, before := range list {
		n, ok := now[before.Key]
		if !ok {
			continue
		}
		list[i] = n
		moved = moved || n.Addr != before.Addr
		f.d.sayName(before, n)
	}
	wait := minLookupRetry
	switch {
	case !moved:
		f.current.Config.Names = list
		f.remember()
	case !f.refine(ctx, list):
		wait = maxLookupRetry // the daemon would refuse it again
	}
	f.followNames(ctx, wait)
}

// sayName reports the new state of a name.
func (c *channels) sayName(before, now resolve.Name) {
	kind, text := notify.NameFound, "The name %[1]s can be looked up again: its address was %[2]s and is %[3]s"
	switch {
	case now.Why != "":
		kind, text = notify.NameLost,
			"The name %[1]s can't be looked up; its last address %[3]s stays in use: %[4]s"
	case !before.Addr.IsValid():
		text = "The name %[1]s has an address now: %[3]s"
	case before.Why == "":
		kind, text = notify.NameMoved, "The name %[1]s has a new address: it was %[2]s and is %[3]s"
	case before.Addr == now.Addr:
		text = "The name %[1]s can be looked up again; its address %[3]s stays in use"
	}
	c.say(kind, text, now.Host, before.Addr, now.Addr, now.Why)
}

// refine puts the current configuration in force with new addresses of its names. It does not read the file again, even
// if the file has changed. It reports whether the director has adopted the addresses.
func (f *configFile) refine(ctx context.Context, list []resolve.Name) bool {
	o := f.d.Config.parserOptions()
	o.Resolver, o.Last = knownNames{newSystemNames(), resolve.Index(list)}, f.inService(ctx).Last(o.Last)
	o.Before, o.Refines, o.Lists = f.current.Config, true, f.current.Lists
	l := f.d.Config.prepare(ctx, f.current.Text, o)
	if l.Plan == nil {
		f.d.refused("the new addresses of names can't be put in force: " + l.Found.Errors()[0].String())
		return false
	}
	l.forget()
	l.said = f.current.said // what it found is not in the log
	if f.install(ctx, l, true) != nil {
		return false
	}
	f.current = l
	f.adoptServers()
	return true
}

// adoptServers records the addresses of names, and watches TLS files and this machine for the servers of the
// configuration in force.
func (f *configFile) adoptServers() {
	f.remember()
	f.tls.follow(f.current)
	f.machine.Follow(f.current.Plan.Services)
}

// remember saves the addresses of the names, which are used when look-ups fail.
func (f *configFile) remember() {
	f.d.tally.setNames(f.current.Config.Names, f.current.Sum)
	err := resolve.File(f.d.lock.Names).Write(f.names())
	f.d.settled(notify.KeepFailed, "Addresses of names can't be kept", err)
}

// names returns the names of the configuration in force. During a trial it adds those of the previous one, which may
// come back.
func (f *configFile) names() []resolve.Name {
	list := slices.Clone(f.current.Config.Names)
	if f.trial == nil {
		return list
	}
	known := resolve.Index(list)
	return append(list, slices.DeleteFunc(slices.Clone(f.trial.names),
		func(n resolve.Name) bool { return known[n.Key].Addr.IsValid() })...)
}

// inService returns the same names as the method names, but drops earlier addresses at which no server is in service
// any more. If the director does not answer, inService keeps all addresses.
func (f *configFile) inService(ctx context.Context) resolve.Known {
	list := f.names()
	if len(resolve.Followed(list)) == 0 {
		return resolve.Index(list)
	}
	now, err := f.d.director.Snapshot(ctx)
	if err != nil {
		return resolve.Index(list)
	}
	serves := map[netip.Addr]bool{}
	for _, s := range now.Each() {
		if s.Moved {
			serves[s.Addr.Addr()] = true
		}
	}
	for i := range list {
		list[i].Earlier = slices.DeleteFunc(slices.Clone(list[i].Earlier),
			func(a netip.Addr) bool { return !serves[a] })
	}
	return resolve.Index(list)
}
