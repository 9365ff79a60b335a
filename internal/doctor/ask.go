package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"ldirectord/internal/fwmark"
	"ldirectord/internal/plan"
)

// ask runs the slow probes concurrently.
func (f *facts) ask(ctx context.Context) {
	network, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	programs, cancel := context.WithTimeout(ctx, programTime)
	defer cancel()
	f.neighbours = neighbours{}
	var (
		// guards f.looked, f.unread and f.neighbours; each other field of f belongs to one probe
		mu   sync.Mutex
		work sync.WaitGroup
	)
	at := func(what string, probe func() error) {
		work.Go(func() {
			err := probe()
			mu.Lock()
			defer mu.Unlock()
			f.note(what, err)
		})
	}
	answers := func(addr netip.Addr, hardware string) {
		mu.Lock()
		defer mu.Unlock()
		f.neighbours.add(addr, hardware)
	}
	// before any probe starts, because these calls change f.unread without mu
	inquiries, servers, ways := f.inquiries(), f.fallbackServers(), f.waysToReach()
	for _, q := range inquiries {
		at("who answers on "+q.device.Name, func() error { return askNeighbours(network, q, answers) })
	}
	at("sockets", func() error {
		f.listening = listeners{}
		return eachSocket(stateListen, f.listening.add)
	})
	if len(servers) > 0 {
		at("fallback servers", func() error {
			f.refused = connectAll(network, servers)
			return nil
		})
	}
	if len(ways) > 0 {
		at("real servers at the virtual addresses", func() (err error) {
			f.reached, err = reachable(ctx, f.daemon.Reach, ways)
			return err
		})
	}
	checksThrough := func(s *plan.Service) bool { return s.Config.CheckVIP.IsValid() }
	if usesMarks(f.services) || len(f.private) > 0 || slices.ContainsFunc(f.services, checksThrough) {
		at("firewall marks", func() error {
			f.marks = new(fwmark.Inspect(programs))
			f.tryMarks(programs)
			if len(f.marks.Unread) > 0 {
				return errors.New(strings.Join(f.marks.Unread, "; "))
			}
			return nil
		})
	}
	if slices.ContainsFunc(f.services, isMasqueraded) {
		at("rules of NAT", func() (err error) {
			f.nat, err = fwmark.SourceNAT(programs)
			return err
		})
	}
	work.Wait()
}

// note records the result of a probe. A success may be recorded already, because a device may be probed for both
// address families.
func (f *facts) note(what string, err error) {
	switch {
	case err != nil:
		f.miss("%s: %v", what, err)
	case !slices.Contains(f.looked, what):
		f.looked = append(f.looked, what)
	}
}

// miss records what could not be examined, and the reason.
func (f *facts) miss(format string, args ...any) {
	f.unread = append(f.unread, fmt.Sprintf(format, args...))
}

// link is a device together with an address family.
type link struct {
	device string
	ipv6   bool
}

// inquiries returns an inquiry for each link. It asks who answers for the virtual addresses, because no real server may
// do so, and who answers for the servers' own addresses, because the answers identify the servers.
func (f *facts) inquiries() (list []inquiry) {
	for l, addrs := range f.links() {
		q := f.inquiryOn(l, addrs)
		if !q.source.IsValid() {
			f.miss("who answers on %s: it is down, or has no address or no MAC address", l.device)
			continue
		}
		q.addrs = slices.SortedFunc(maps.Keys(addrs), netip.Addr.Compare)
		q.addrs = limited(f, "who answers on "+l.device, q.addrs)
		list = append(list, q)
	}
	return list
}

// links returns the links to servers with forwarding method gate or ipip. Each comes with the addresses of these
// servers and of their virtual services.
func (f *facts) links() map[link]map[netip.Addr]bool {
	links := map[link]map[netip.Addr]bool{}
	for _, s := range f.services {
		for _, m := range s.Entries {
			r := f.routeTo(m)
			if isMasq(m) || r.local || r.gateway || r.device == "" {
				continue
			}
			l := link{r.device, addressOf(m).Is6()}
			if links[l] == nil {
				links[l] = map[netip.Addr]bool{}
			}
			links[l][addressOf(m)] = true
			for _, p := range s.Config.Addresses() {
				if p.IsSingleIP() && p.Addr().Is6() == l.ipv6 {
					links[l][p.Addr()] = true
				}
			}
		}
	}
	return links
}

// inquiryOn returns an inquiry that is sent on the link's device. Its source is one of the device's addresses,
// preferably one that is not a virtual address.
func (f *facts) inquiryOn(l link, virtual map[netip.Addr]bool) (q inquiry) {
	for _, d := range f.devices {
		if d.Name != l.device || !d.is(net.FlagUp) || len(d.HardwareAddr) != 6 {
			continue
		}
		for _, p := range d.prefixes {
			if p.Addr().Is6() == l.ipv6 && (!q.source.IsValid() || virtual[q.source]) {
				q.device, q.source = d, p.Addr()
			}
		}
	}
	return q
}

func isMasqueraded(s *plan.Service) bool {
	return slices.ContainsFunc(s.Entries, isMasq)
}

// fallbackServers returns the TCP fallback servers that are tested with a connection. It leaves out servers with gate
// or ipip on this machine, because they use the virtual address, and a connection to that address goes through IPVS.
func (f *facts) fallbackServers() []netip.AddrPort {
	var list []netip.AddrPort
	for _, s := range f.services {
		for _, m := range s.Entries {
			local := !isMasq(m) && f.routeTo(m).local
			if m.Fallback && !local && mayBeTCP(s.Config) && m.Dest.Addr.Port() != 0 &&
				!slices.Contains(list, m.Dest.Addr) {
				list = append(list, m.Dest.Addr)
			}
		}
	}
	return limited(f, "fallback servers", list)
}

// limited returns at most the first maxQuestions of a list, and notes that the others are not looked at.
func limited[T any](f *facts, what string, list []T) []T {
	if len(list) > maxQuestions {
		f.miss("%s: all but the first %d", what, maxQuestions)
		list = list[:maxQuestions]
	}
	return list
}

// connectAll returns the addresses that do not accept a connection, each with the reason.
func connectAll(ctx context.Context, addrs []netip.AddrPort) map[netip.AddrPort]error {
	var (
		mu      sync.Mutex // guards refused
		refused = map[netip.AddrPort]error{}
		work    sync.WaitGroup
		slots   = make(chan struct{}, maxConnections)
	)
	for _, addr := range addrs {
		slots <- struct{}{}
		work.Go(func() {
			defer func() { <-slots }()
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr.String())
			if err == nil {
				conn.Close()
				return
			}
			mu.Lock()
			defer mu.Unlock()
			refused[addr] = err
		})
	}
	work.Wait()
	return refused
}
