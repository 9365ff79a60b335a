package daemon

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ldirectord/internal/announce"
	"ldirectord/internal/doctor"
	"ldirectord/internal/instance"
	"ldirectord/internal/lvs"
	"ldirectord/internal/runfile"
	"ldirectord/parser"
)

// crashWait is how long the virtual services of a crashed daemon stay reserved for its successor.
const crashWait = 10 * time.Second

// perlRetry is the time between two attempts to look up the names in the file of a Perl ldirectord. The director is
// blocked during each attempt.
const perlRetry = 10 * time.Second

// neighbours are the other directors on the same table.
type neighbours struct {
	of        instance.Instance
	source    Source
	kept      instance.Kept
	seen      map[string]time.Time // when daemons were seen alive, by the path of their file
	perls     map[instance.Process]*perl
	unknown   []string // reports of daemons whose virtual services are unknown
	everybody bool     // the next look reads all command lines
}

// neighbour is one other director.
type neighbour struct {
	name       string // such as "b.cf, pid 852"
	has, waits []lvs.Key
	announced  announce.Record
}

// perl is a Perl ldirectord. Its virtual services are those in its file.
type perl struct {
	instance.Stranger
	path  string
	read  fileStamp // the version of the file that was read, with its names
	again time.Time // when to look up again the names that took too long
	has   []lvs.Key
}

// newNeighbours returns the neighbours of an instance.
func newNeighbours(i instance.Instance, s Source) neighbours {
	s.Wait = true
	return neighbours{of: i, source: s, kept: instance.Kept{}, seen: map[string]time.Time{},
		perls: map[instance.Process]*perl{}, everybody: true}
}

// look finds the other directors.
func (n *neighbours) look(ctx context.Context) (list []neighbour) {
	now := time.Now()
	others, known := n.of.Others(n.kept)
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
	n.findPerls(known)
	for _, p := range n.perls {
		p.follow(ctx, n.source)
		name := fmt.Sprintf("the Perl ldirectord of %s, pid %d", filepath.Base(p.path), p.Pid)
		list = append(list, neighbour{name: name, has: p.has})
	}
	slices.SortFunc(list, func(a, b neighbour) int { return strings.Compare(a.name, b.name) })
	return list
}

// findPerls notes the Perl ldirectords that are running, except known processes. When it reads all command lines, it
// also notes the directors whose virtual services are unknown.
func (n *neighbours) findPerls(known map[int]bool) {
	if n.everybody {
		n.unknown = nil
	}
	for _, s := range n.of.Strangers(known, n.everybody) {
		path, _ := n.source.Dirs.FindNamed(s.Config)
		switch {
		case n.perls[s.Process] != nil, n.of.Find().Pid == s.Pid: // this daemon replaces it
		case s.Proved && runfile.TryRead(path) == nil:
			n.perls[s.Process] = &perl{Stranger: s, path: path}
		case !n.everybody:
		case s.RunDir != "":
			n.unknown = append(n.unknown,
				fmt.Sprintf("the run folder %s of pid %d is not examined", s.RunDir, s.Pid))
		default:
			const unread = "the file or the network namespace of the Perl ldirectord with " +
				"pid %d can't be read"
			n.unknown = append(n.unknown, fmt.Sprintf(unread, s.Pid))
		}
	}
	n.everybody = false
	for process, p := range n.perls {
		if !p.Lives() {
			delete(n.perls, process)
		}
	}
}

// follow reads the file of a Perl ldirectord again if it has changed or was not read completely.
func (p *perl) follow(ctx context.Context, s Source) {
	info, _ := runfile.Stat(p.path)
	now := fileStamp{info}
	if now.same(p.read) || time.Now().Before(p.again) {
		return
	}
	text, err := runfile.ReadFile(p.path, parser.MaxSize)
	if err != nil {
		return
	}
	o := s.parserOptions()
	o.TryFile, o.TryRead, o.ReadSecret, o.DirExist = nil, nil, nil, nil // its other files don't concern us
	cfg, _ := parser.Parse(ctx, p.path, text, o)
	if p.read = now; ctx.Err() != nil {
		p.read, p.again = fileStamp{}, time.Now().Add(perlRetry)
	}
	if cfg == nil {
		return
	}
	p.has = nil
	for _, v := range cfg.Virtuals {
		p.has = append(p.has, v.Key)
	}
}

// Shared returns the virtual services in a daemon's table that other directors have or wait for. The result unknown
// lists the daemons whose virtual services are unknown.
func Shared(ctx context.Context, i instance.Instance, s Source) (shared map[lvs.Key]string, unknown []string) {
	n, mine := newNeighbours(i, s), i.Find().State.Virtuals
	shared = map[lvs.Key]string{}
	for _, one := range n.look(ctx) {
		for _, k := range one.waits {
			shared[k] = cmp.Or(shared[k], one.name+", waits for it")
		}
		for _, k := range one.has {
			shared[k] = "belongs to " + one.name + doctor.Waits
			if slices.Contains(mine, k) {
				shared[k] = "also belongs to " + one.name
			}
		}
	}
	return shared, n.unknown
}

// Announcements returns an announcer that only looks at the announced addresses of an instance.
func Announcements(i instance.Instance) *announce.Announcer {
	last := i.State()
	return announce.New(last.Announced, func(context.Context) (has map[netip.Addr]string, release func()) {
		has = map[netip.Addr]string{}
		own := instance.Other{State: last, Lives: i.Find().Pid != 0}
		others, _ := i.Others(nil)
		for _, o := range append(others, own) {
			for addr := range o.Announced {
				if o.Lives {
					has[addr] = o.Path
				}
			}
		}
		return has, func() {}
	}, nil)
}
