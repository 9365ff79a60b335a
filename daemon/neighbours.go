package daemon

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ldirectord/announce"
	"ldirectord/director"
	"ldirectord/instance"
	"ldirectord/ipvsctl"
	"ldirectord/parser"
)

// crashWait is how long the virtual services of a daemon that was seen and has crashed are left to its next one.
const crashWait = 10 * time.Second

// neighbours are the other directors on the same table.
type neighbours struct {
	of      instance.Instance
	own     string // the record that is not one of them
	source  Source
	seen    map[string]time.Time // when daemons were seen alive, by the paths of their files
	perls   map[instance.Process]*perl
	unknown []string // what is told of those of which it is not known what they have
}

// neighbour is one of them.
type neighbour struct {
	name       string // b.cf, pid 852
	has, waits []ipvsctl.Key
	announced  announce.Record
}

// perl is a Perl ldirectord. What it has is in its file.
type perl struct {
	instance.Stranger
	path string
	read fileStamp // of the file
	has  []ipvsctl.Key
}

// newNeighbours are those of the daemon of a configuration.
func newNeighbours(i instance.Instance, own string, s Source) *neighbours {
	s.Wait = true
	seen, perls := map[string]time.Time{}, map[instance.Process]*perl{}
	return &neighbours{of: i, own: own, source: s, seen: seen, perls: perls}
}

// look finds them. With everybody it looks at all command lines.
func (n *neighbours) look(ctx context.Context, everybody bool) (list []neighbour) {
	now := time.Now()
	others := n.of.Others(n.own)
	for _, o := range others {
		one := neighbour{name: fmt.Sprintf("%s, pid %d", filepath.Base(o.Path), o.Pid)}
		if o.Lives {
			n.seen[o.Path], one.waits = now, o.Waits
		}
		crashed := o.Phase == instance.Running && now.Sub(n.seen[o.Path]) < crashWait
		if o.Lives || o.IsHandedOver() || crashed {
			one.has, one.announced = o.Has(), o.Announced
		}
		list = append(list, one)
	}
	n.findPerls(others, everybody)
	for _, p := range n.perls {
		p.follow(ctx, n.source)
		name := fmt.Sprintf("the Perl ldirectord of %s, pid %d", filepath.Base(p.path), p.Pid)
		list = append(list, neighbour{name: name, has: p.has})
	}
	slices.SortFunc(list, func(a, b neighbour) int { return strings.Compare(a.name, b.name) })
	return list
}

// findPerls notes which Perl ldirectords run.
func (n *neighbours) findPerls(others []instance.Other, everybody bool) {
	if everybody {
		n.unknown = nil
	}
	for _, s := range n.of.Strangers(others, everybody) {
		path, _ := n.source.Dirs.Find(s.Config)
		switch {
		case n.perls[s.Process] != nil, n.of.Find().Pid == s.Pid: // its next one is the daemon here
		case s.Proved && instance.TryRead(path) == nil:
			n.perls[s.Process] = &perl{Stranger: s, path: path}
		case s.RunDir != "":
			what := fmt.Sprintf("the run folder %s of pid %d is not looked at", s.RunDir, s.Pid)
			n.unknown = append(n.unknown, what)
		case everybody:
			what := "the file of the Perl ldirectord with pid %d can't be read, or its network namespace"
			n.unknown = append(n.unknown, fmt.Sprintf(what, s.Pid))
		}
	}
	for process, p := range n.perls {
		if !p.Lives() {
			delete(n.perls, process)
		}
	}
}

// follow reads the file of a Perl ldirectord again when it has changed.
func (p *perl) follow(ctx context.Context, s Source) {
	now := stamp(p.path)
	if now.same(p.read) {
		return
	}
	text, err := instance.ReadFile(p.path, parser.MaxSize)
	if p.read = now; err != nil {
		return
	}
	if cfg, _ := parser.Parse(ctx, p.path, text, s.parserOptions()); cfg != nil {
		p.has = nil
		for i := range cfg.Virtuals {
			p.has = append(p.has, director.KeyOf(&cfg.Virtuals[i]))
		}
	}
}

// Shared is what other directors have, or wait for, on the table of a daemon: in words, by its virtual service.
// Unknown says of whom that is not known.
func Shared(ctx context.Context, i instance.Instance, s Source) (shared map[ipvsctl.Key]string, unknown []string) {
	n, mine := newNeighbours(i, "", s), setOf(i.Find().State.Virtuals)
	shared = map[ipvsctl.Key]string{}
	for _, one := range n.look(ctx, true) {
		for _, k := range one.waits {
			shared[k] = cmp.Or(shared[k], "is also of "+one.name)
		}
		for _, k := range one.has {
			if shared[k] = "belongs to " + one.name + "; the daemon of this file waits for it"; mine[k] {
				shared[k] = "is also of " + one.name
			}
		}
	}
	return shared, n.unknown
}

// common are those of the keys that are in all, as the file calls them.
func common(keys []ipvsctl.Key, all map[ipvsctl.Key]bool) string {
	return chosen(keys, func(k ipvsctl.Key) bool { return all[k] })
}

// caught are those of the keys whose packets get the mark of a virtual service.
func caught(v *parser.Virtual, keys []ipvsctl.Key) string {
	return chosen(keys, func(k ipvsctl.Key) bool { return director.Catches(v, k) })
}

func chosen(keys []ipvsctl.Key, is func(ipvsctl.Key) bool) string {
	var ids []string
	for _, k := range keys {
		if is(k) {
			ids = append(ids, director.KeyID(k))
		}
	}
	return director.Listed(ids)
}

func setOf(keys []ipvsctl.Key) map[ipvsctl.Key]bool {
	set := make(map[ipvsctl.Key]bool, len(keys))
	for _, k := range keys {
		set[k] = true
	}
	return set
}
