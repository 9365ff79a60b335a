package lab

import (
	"os"
	"strings"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
)

const (
	lookEvery    = 50 * time.Millisecond
	maxUnserved  = time.Second // how long an address may be announced that the table does not serve
	ipvsOfVIP    = "TCP C000020A:"
	ipvsOfMark   = "FWM 00000001 "
	ipvsOfVIP6   = "TCP [2001:0db8:ffff:0000:0000:0000:0000:0010]:"
	announceOn   = "lvs0"
	lastResortOn = "lvs1"
)

// served are the addresses, with the names of their services in the kernel's table.
var served = map[string]string{vip: ipvsOfVIP, vipOfMark: ipvsOfMark, vip6: ipvsOfVIP6}

// watcher checks every director: is an address announced there that its table does not serve?
type watcher struct {
	mu       sync.Mutex // guards the fields below
	where    []map[string]string
	inTable  []int // number of servers with a weight
	unserved []unserved
}

// unserved is a time in which an address was announced but not served.
type unserved struct {
	span
	director int
	address  string
}

// watch watches all directors until the test ends.
func (f *fleet) watch() *watcher {
	w := &watcher{where: make([]map[string]string, len(f.directors)), inTable: make([]int, len(f.directors))}
	stop := make(chan struct{})
	var done sync.WaitGroup
	for i, d := range f.directors {
		done.Go(func() {
			if err := d.enter("dir", func() { w.look(i, stop) }); err != nil {
				f.t.Error(err)
			}
		})
	}
	f.t.Cleanup(func() { close(stop); done.Wait() })
	return w
}

// look reads one director's kernel on a thread in its namespace. It starts no processes, because the lab has only one
// processor.
func (w *watcher) look(director int, stop <-chan struct{}) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	begun := map[string]time.Time{}
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		announced, table := announcedHere(), servicesHere()
		now := time.Now()
		w.mu.Lock()
		w.where[director], w.inTable[director] = announced, servers(table, "")
		for address, service := range served {
			from, was := begun[address]
			switch bad := announced[address] != "" && servers(table, service) == 0; {
			case bad && !was:
				begun[address] = now
			case !bad && was:
				w.unserved = append(w.unserved, unserved{span{from, now}, director, address})
				delete(begun, address)
			case bad && now.Sub(from) > 2*maxUnserved: // recorded now, because it may last until the end
				w.unserved = append(w.unserved, unserved{span{from, now}, director, address})
			}
		}
		w.mu.Unlock()
	}
}

// announcedHere has the device of each announced address.
func announcedHere() map[string]string {
	found := map[string]string{}
	for _, device := range []string{announceOn, lastResortOn} {
		link, err := netlink.LinkByName(device)
		if err != nil {
			continue
		}
		addresses, _ := netlink.AddrList(link, netlink.FAMILY_ALL)
		for _, a := range addresses {
			if _, ours := served[a.IP.String()]; ours {
				found[a.IP.String()] = device
			}
		}
	}
	return found
}

// servicesHere reads the whole table with one call: with tables in several namespaces, this kernel loses entries
// between two reads.
func servicesHere() string {
	f, err := os.Open("/proc/thread-self/net/ip_vs")
	if err != nil {
		return ""
	}
	defer f.Close()
	text := make([]byte, os.Getpagesize())
	n, _ := f.Read(text)
	return string(text[:n])
}

// servers is how many servers have a weight, in services whose line begins with service.
func servers(table, service string) (n int) {
	inside := false
	for line := range strings.Lines(table) {
		words := strings.Fields(line)
		if len(words) < 4 || words[0] != "->" {
			inside = strings.HasPrefix(strings.Join(words, " ")+" ", service)
		} else if inside && words[3] != "0" && words[3] != "Weight" {
			n++
		}
	}
	return n
}

// orders has the servers of each service in the order of the table, on which mh depends.
func orders(table string) map[string][]string {
	order, service := map[string][]string{}, ""
	for line := range strings.Lines(table) {
		words := strings.Fields(line)
		if len(words) > 1 && words[0] == "->" {
			order[service] = append(order[service], words[1])
		} else {
			service = strings.Join(words, " ")
		}
	}
	return order
}

// on is the device on which a director has an address; empty if none.
func (w *watcher) on(director int, address string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.where[director-1][address]
}

// servers is how many servers with a weight a director's table has.
func (w *watcher) servers(director int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.inTable[director-1]
}

// longest is the longest time, since a moment, in which an address was announced but not served. Time in which this
// kernel did not run is not counted.
func (w *watcher) longest(from time.Time, idle *starvation) (d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, u := range w.unserved {
		if u.until.After(from) {
			d = max(d, u.until.Sub(u.from)-idle.since(u.from))
		}
	}
	return d
}
