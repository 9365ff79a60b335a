package director

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"ldirectord/notify"
	"ldirectord/parser"
)

const (
	lookEvery  = time.Second     // where a folder can't be watched, as on NFS
	namesValid = time.Minute     // how long a reverse look-up is believed
	lookupTime = 2 * time.Second // for all reverse look-ups of one round together

	lookupsAtOnce = 50
	mostFiles     = 100_000 // entries read of maintenancedir
	longestNote   = 200     // bytes read of one of its files
)

// keeper looks after maintenancedir: a file named like a server takes it out. It works in a goroutine
// of its own, and names are looked up in another: neither files nor name servers hold the director up.
type keeper struct {
	changes chan map[netip.AddrPort]string // by real server, the file that takes it out
	orders  chan order
	ctx     context.Context // ends its goroutine
	watcher func(context.Context, string) <-chan struct{}
	lookup  func(ctx context.Context, addr string) (hosts []string, err error)

	// What follows belongs to its goroutine.
	names    map[netip.Addr]name
	asked    bool                       // names are being looked up
	answered chan map[netip.Addr]string // … and these are they
}

type order struct {
	dir     string
	servers []netip.AddrPort
	reply   chan map[netip.AddrPort]string
}

type name struct {
	host  string
	until time.Time
}

func newKeeper(ctx context.Context, watcher func(context.Context, string) <-chan struct{}) *keeper {
	k := &keeper{
		changes: make(chan map[netip.AddrPort]string),
		orders:  make(chan order),
		ctx:     ctx,
		watcher: watcher,
		lookup:  net.DefaultResolver.LookupAddr,

		names:    map[netip.Addr]name{},
		answered: make(chan map[netip.Addr]string),
	}
	go k.run()
	return k
}

// watch makes the keeper look after the folder and the servers of a plan. It returns who is in
// maintenance now.
func (k *keeper) watch(ctx context.Context, p *Plan) map[netip.AddrPort]string {
	o := order{dir: p.Config.Global.MaintenanceDir, reply: make(chan map[netip.AddrPort]string, 1)}
	for _, v := range p.virtuals {
		for _, s := range v.servers {
			o.servers = append(o.servers, s.real.Addr)
		}
	}
	select {
	case k.orders <- o:
		return <-o.reply
	case <-ctx.Done():
	case <-k.ctx.Done():
	}
	return nil
}

func (k *keeper) run() {
	var (
		now         order
		known, seen map[netip.AddrPort]string // what the director knows, what the folder says
		changed     <-chan struct{}
		endWatch    = func() {}
	)
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	defer func() { endWatch() }()
	for {
		var out chan map[netip.AddrPort]string
		if !maps.Equal(seen, known) {
			out = k.changes
		}
		select {
		case <-k.ctx.Done():
			return
		case now = <-k.orders:
			endWatch()
			changed, endWatch = k.open(now.dir)
			if hasNames(entries(now.dir)) {
				k.learn(k.resolve(k.strangers(now.servers)))
			}
			seen = k.look(now)
			known = seen
			now.reply <- seen
		case <-ticker.C:
			seen = k.look(now)
		case <-changed:
			seen = k.look(now)
		case hosts := <-k.answered:
			k.asked = false
			k.learn(hosts)
			seen = k.look(now)
		case out <- seen:
			known = seen
		}
	}
}

func (k *keeper) open(dir string) (<-chan struct{}, context.CancelFunc) {
	if k.watcher == nil || dir == "" {
		return nil, func() {}
	}
	ctx, cancel := context.WithCancel(k.ctx)
	return k.watcher(ctx, dir), cancel
}

// look reads the folder. One that can't be read takes nobody out: it may appear later.
func (k *keeper) look(o order) map[netip.AddrPort]string {
	files := entries(o.dir)
	if len(files) == 0 {
		return nil
	}
	if hasNames(files) {
		k.refresh(o.servers)
	}
	found := map[netip.AddrPort]string{}
	for _, s := range o.servers {
		for _, name := range k.fileNames(s) {
			if files[name] {
				found[s] = name + note(filepath.Join(o.dir, name))
				break
			}
		}
	}
	return found
}

// fileNames are the names by which a file takes a server out, in the order of the reference: address,
// host name and its first part, each with and without the port.
func (k *keeper) fileNames(s netip.AddrPort) []string {
	hosts := []string{parser.FormatAddr(s.Addr())}
	if s.Addr().Is6() {
		hosts = append(hosts, s.Addr().String())
	}
	if host := k.names[s.Addr()].host; host != "" {
		hosts = append(hosts, host)
		if short, _, dotted := strings.Cut(host, "."); dotted {
			hosts = append(hosts, short)
		}
	}
	var names []string
	for _, h := range hosts {
		names = append(names, fmt.Sprintf("%s:%d", h, s.Port()), h)
	}
	return names
}

// strangers are the addresses of servers whose names were never looked up.
func (k *keeper) strangers(servers []netip.AddrPort) (addrs []netip.Addr) {
	for _, s := range servers {
		if _, known := k.names[s.Addr()]; !known {
			addrs = append(addrs, s.Addr())
		}
	}
	return addrs
}

// refresh has old names looked up again, meanwhile they stand.
func (k *keeper) refresh(servers []netip.AddrPort) {
	var old []netip.Addr
	for _, s := range servers {
		if time.Now().After(k.names[s.Addr()].until) {
			old = append(old, s.Addr())
		}
	}
	if k.asked || len(old) == 0 {
		return
	}
	k.asked = true
	go func() {
		select {
		case k.answered <- k.resolve(old):
		case <-k.ctx.Done():
		}
	}()
}

// learn notes host names, "" where there was no answer: the last good one stands.
func (k *keeper) learn(hosts map[netip.Addr]string) {
	until := time.Now().Add(namesValid)
	for addr, host := range hosts {
		k.names[addr] = name{cmp.Or(host, k.names[addr].host), until}
	}
}

// resolve finds the host names of addresses, all at the same time.
func (k *keeper) resolve(addrs []netip.Addr) map[netip.Addr]string {
	ctx, cancel := context.WithTimeout(k.ctx, lookupTime)
	defer cancel()
	var (
		hosts = make(map[netip.Addr]string, len(addrs))
		mu    sync.Mutex
		all   sync.WaitGroup
		slots = make(chan struct{}, lookupsAtOnce)
	)
	for _, addr := range addrs {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			found, err := k.lookup(ctx, addr.String())
			mu.Lock()
			defer mu.Unlock()
			hosts[addr] = ""
			if err == nil && len(found) > 0 {
				hosts[addr] = strings.TrimSuffix(found[0], ".")
			}
		})
	}
	all.Wait()
	return hosts
}

func entries(dir string) map[string]bool {
	if dir == "" {
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer f.Close()
	list, err := f.ReadDir(mostFiles)
	if err != nil {
		return nil
	}
	files := make(map[string]bool, len(list))
	for _, e := range list {
		files[e.Name()] = true
	}
	return files
}

// note is the first line of a file, what its author had to say, behind a colon; "" when it is empty.
func note(path string) string {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not hold the director up
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	text, err := io.ReadAll(io.LimitReader(f, longestNote))
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(strings.TrimSpace(strings.ToValidUTF8(string(text), "?")), "\n")
	if line == "" {
		return ""
	}
	return ": " + line
}

// hasNames tells whether any file may be named by a host name.
func hasNames(files map[string]bool) bool {
	for f := range files {
		if _, err := netip.ParseAddrPort(f); err == nil {
			continue
		}
		if _, err := netip.ParseAddr(strings.Trim(f, "[]")); err == nil {
			continue
		}
		return true
	}
	return false
}

// maintain takes servers out for maintenance, and lets them back to what their checks say.
func (d *Director) maintain(files map[netip.AddrPort]string) {
	for _, v := range d.virtuals {
		for _, s := range v.servers {
			file := files[s.real.Addr]
			if file == s.maintenance {
				continue
			}
			switch {
			case s.maintenance == "":
				d.say(v, s, notify.MaintenanceOn, fmt.Sprintf("Maintenance begins: %s (%s) by file %s", s.name, v.cfg.ID, file), file)
			case file == "":
				d.say(v, s, notify.MaintenanceOff, fmt.Sprintf("Maintenance ends: %s (%s)", s.name, v.cfg.ID), "")
			}
			s.maintenance = file
			s.moved, v.dirty = true, true
		}
	}
}
