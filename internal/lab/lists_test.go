package lab

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A part and a list are exchanged under traffic: whole, cut in the middle of an address, removed, on a full disk, and
// while the daemon is killed. No request fails, and no server has a weight that no whole list has named lately.
func TestKernelLists(t *testing.T) {
	w := newLists(t)
	w.underTraffic(func() {
		random := rand.New(rand.NewPCG(1, 2))
		kinds := []func(){w.exchangePart, w.cutPart, w.cutList, w.fullDisk, w.killed, w.removed}
		for n := range 2 * len(kinds) {
			w.exchangeList(random.Perm(len(w.all))[:2+n%3])
			kinds[n%len(kinds)]()
		}
		w.exchangeList([]int{0, 2})
		w.untilWeights(0, 2)
	})
}

// namedLab is the lab with a virtual service whose servers are named elsewhere.
type namedLab struct {
	*weightsLab
	named chan map[string]time.Time // until when each server may have a weight; the zero time: it is named
}

func newNamed(t *testing.T) namedLab {
	w := namedLab{newWeights(t, 4), make(chan map[string]time.Time, 1)}
	w.sh("ip -n %srs4 addr add %s/24 dev br0", w.prefix, nobody) // it would pass its check
	w.named <- map[string]time.Time{}
	return w
}

// name notes that these servers are named from now on, and no others. It returns their addresses.
func (w namedLab) name(servers []int) (addresses []string) {
	named, now := <-w.named, time.Now()
	for name, until := range named {
		if until.IsZero() {
			named[name] = now.Add(lately)
		}
	}
	for _, n := range servers {
		named[address(w.all[n])] = time.Time{}
		addresses = append(addresses, address(w.all[n]))
	}
	w.named <- named
	return addresses
}

// underTraffic calls f under traffic. No request may fail, and no server may have a weight that was not named lately.
func (w namedLab) underTraffic(f func()) {
	c := w.traffic()
	end := make(chan struct{})
	looked := make(chan int)
	go func() { looked <- w.look(end) }()
	f()
	close(end)
	if n := <-looked; n < 100 {
		w.t.Errorf("the table was read %d times", n)
	}
	requests := c.end()
	failures := map[string]int{}
	for _, r := range requests {
		if r.failure != "" {
			failures[r.failure]++
		}
	}
	if len(requests) < 500 || len(failures) > 0 {
		w.t.Errorf("%d requests, failures: %v\nlog:\n%s", len(requests), failures, w.logText())
	}
}

// untilWeights waits until these servers have their weight, and the others are gone.
func (w namedLab) untilWeights(servers ...int) {
	w.t.Helper()
	var lines []string
	for n, name := range w.all {
		if slices.Contains(servers, n) {
			lines = append(lines, entry(name)+" -m -w 10")
		} else {
			lines = append(lines, "no "+entry(name))
		}
	}
	w.until(2*bound, lines...)
}

// listsLab is the lab with a virtual service in a part, and its servers in a list, both on a small disk.
type listsLab struct {
	namedLab
	disk  string
	whole string // the list
	parts int    // that were written
}

// lately is how long a server may keep its weight after a list without it: the list must be still for a second, and a
// file that is cut or can not be written keeps the one before in force meanwhile.
const lately = 8 * time.Second

// nobody is the address that is left of a server's if that is cut.
const nobody = "192.0.2.2"

func newLists(t *testing.T) *listsLab {
	w := &listsLab{namedLab: newNamed(t), disk: t.TempDir()}
	w.sh("mount -t tmpfs -o size=64k,mode=755 lists %s", w.disk)
	t.Cleanup(func() { w.sh("umount -l %s", w.disk) })
	t.Setenv("STATE_DIRECTORY", filepath.Join(w.disk, "state"))
	for _, folder := range []string{"state", "parts"} {
		if err := os.Mkdir(filepath.Join(w.disk, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w.exchangeList([]int{0, 1, 2, 3})
	w.exchangePart()
	w.path = w.config("checkinterval = 1\nautoreload = yes\ninclude = " + w.disk + "/parts/*.cf\n")
	w.run(exitOK, w.path, "start")
	t.Cleanup(func() { w.run(exitOK, w.path, "stop") })
	w.untilWeights(0, 1, 2, 3)
	return w
}

// put writes a file of the disk, in one step if it is whole.
func (w *listsLab) put(name, text string, whole bool) {
	path := filepath.Join(w.disk, name)
	to := path
	if whole {
		to += "~"
	}
	err := os.WriteFile(to, []byte(text), 0o644)
	if err == nil && whole {
		err = os.Rename(to, path)
	}
	if err != nil {
		w.t.Error(err)
	}
}

// exchangeList names servers in a new list.
func (w *listsLab) exchangeList(servers []int) {
	w.whole = strings.Join(w.name(servers), "\n") + "\n"
	w.put("web", w.whole, true)
}

// part is the virtual service, with a value that changes nothing, but makes another configuration.
func (w *listsLab) part() string {
	w.parts++
	return fmt.Sprintf("virtual = %s:80\n\trealfile = %s/web masq 10\n\tdraintime = 3\n\tservice = http\n"+
		"\trequest = \"check\"\n"+
		"\treceive = \"OK|%d\"\n", natVIP, w.disk, w.parts)
}

func (w *listsLab) exchangePart() {
	w.put("parts/web.cf", w.part(), true)
	time.Sleep(time.Second)
}

// cutPart cuts a part in the middle of the address of a server.
func (w *listsLab) cutPart() {
	part := w.part()
	w.put("parts/web.cf", part+"\treal = "+nobody, false)
	time.Sleep(1500 * time.Millisecond)
	w.put("parts/web.cf", part, true)
}

// cutList cuts a list in the middle of an address, so that it ends with that of nobody.
func (w *listsLab) cutList() {
	w.put("web", strings.TrimSuffix(w.whole, "1\n")+nobody, false)
	time.Sleep(2500 * time.Millisecond)
	w.put("web", w.whole, true)
}

// fullDisk leaves no space for the daemon and for who writes the list.
func (w *listsLab) fullDisk() {
	_ = os.WriteFile(filepath.Join(w.disk, "filler"), make([]byte, 64<<10), 0o644)
	if err := os.WriteFile(filepath.Join(w.disk, "web"), []byte(strings.Repeat("# on a full disk\n", 4096)+w.whole),
		0o644); err == nil {
		w.t.Error("the disk is not full")
	}
	w.config("# on a full disk\ncheckinterval = 1\nautoreload = yes\ninclude = " + w.disk + "/parts/*.cf\n")
	time.Sleep(2500 * time.Millisecond)
	if err := os.Remove(filepath.Join(w.disk, "filler")); err != nil {
		w.t.Error(err)
	}
	w.put("web", w.whole, true)
}

// killed ends the daemon as a crash does while the list is half written, and starts it before it is whole.
func (w *listsLab) killed() {
	w.put("web", w.whole+nobody, false)
	w.kill()
	w.run(exitOK, w.path, "start")
	time.Sleep(time.Second)
	w.put("web", w.whole, true)
	time.Sleep(time.Second)
}

// removed removes the list for a while.
func (w *listsLab) removed() {
	_ = os.Remove(filepath.Join(w.disk, "web"))
	time.Sleep(1500 * time.Millisecond)
	w.put("web", w.whole, true)
	time.Sleep(time.Second)
}

// look reads the table all the time, and tells each server with a weight that should have none.
func (w namedLab) look(end chan struct{}) (times int) {
	told := map[string]bool{}
	for ; ; times++ {
		select {
		case <-end:
			return times
		case <-time.After(20 * time.Millisecond):
		}
		table := w.read()
		named := <-w.named
		allowed, now := maps.Clone(named), time.Now()
		w.named <- named
		maps.DeleteFunc(allowed,
			func(_ string, until time.Time) bool { return !until.IsZero() && now.After(until) })
		for _, service := range table {
			for _, d := range service.Dests {
				if _, ok := allowed[d.Addr.String()]; !ok && d.Weight > 0 && !told[d.Addr.String()] {
					told[d.Addr.String()] = true
					w.t.Errorf("%v has weight %d; named were %v", d.Addr, d.Weight,
						slices.Sorted(maps.Keys(allowed)))
				}
			}
		}
	}
}
