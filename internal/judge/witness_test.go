package judge

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

const interval = 2 * time.Second // of looks

// seen is a look at a server.
func seen(suspected, well, answered bool) *Witness {
	w := &Witness{Suspected: suspected, well: well}
	if answered {
		w.fresh.PacketsOut = 1
	}
	return w
}

// Each line of a story is a server.
func TestWhenAServerIsSuspected(t *testing.T) {
	_, all, _ := strings.Cut(testkit.Read(t, "../../testdata/judge/witness.txt"), "\n= ")
	for story := range strings.SplitSeq(all, "\n= ") {
		what, lines, _ := strings.Cut(story, "\n")
		t.Run(what, func(t *testing.T) {
			var all []*Witness
			var traffic []lvs.Traffic
			var looks [][]string
			var want []string
			now, before := time.Unix(1000, 0), lvs.Traffic{Connections: 1000, PacketsOut: 1000}
			for _, line := range strings.Split(strings.TrimSpace(lines), "\n") {
				words, turns, _ := strings.Cut(line, "->")
				looks, want = append(looks, strings.Fields(words)),
					append(want, strings.TrimSpace(turns))
				w := &Witness{}
				w.Look(before, now)
				all, traffic = append(all, w), append(traffic, before)
			}
			got := make([]string, len(all))
			for k := range looks[0] {
				now = now.Add(interval)
				suspected := make([]bool, len(all))
				for i, w := range all {
					suspected[i] = w.Suspected
					var more lvs.Traffic
					word, anew := strings.CutPrefix(looks[i][k], "-")
					if anew {
						traffic[i] = lvs.Traffic{}
					}
					testkit.Must(fmt.Sscanf(word, "%d/%d", &more.Connections, &more.PacketsOut))(t)
					traffic[i].Connections += more.Connections
					traffic[i].PacketsOut += more.PacketsOut
					w.Look(traffic[i], now)
				}
				Compare(all, now)
				for i, w := range all {
					if w.Suspected != suspected[i] {
						got[i] = strings.TrimSpace(fmt.Sprint(got[i], " ", k+1))
					}
				}
			}
			for i := range all {
				testkit.Equal(t, got[i], want[i], "server", i+1, "turned at")
			}
		})
	}
}

// In an hour of honest traffic to six servers, the clients' and the network's behaviour changes every 30 s, and no
// server is suspected. Then one server stops answering, and is suspected. The kernel renews the counters of each
// server every 2.05 s, at different times.
func TestAnHourOfHonestTraffic(t *testing.T) {
	const tick, renew, mode, servers = 10 * time.Millisecond, 205, 3000, 6
	const look = int(interval / tick)
	for seed := range uint64(10) {
		random := rand.New(rand.NewPCG(seed, 1))
		var all [servers]*Witness
		var traffic, shown [servers]lvs.Traffic
		var late [servers][1000]uint64 // answers by the tick at which they arrive, modulo a thousand
		for i := range all {
			all[i] = &Witness{}
		}
		kind, gray, turn, now := 0, -1, 0, time.Unix(1000, 0)
		const end = int(time.Hour / tick)
		for n := range end + 4*renew {
			if n == end {
				kind, gray = 1, random.IntN(servers)
			} else if n%mode == 0 && n < end {
				kind = random.IntN(9)
			}
			come, to, lost := 0, -1, 0.0
			switch kind {
			case 1: // steady
				come = random.IntN(2)
			case 2: // bursts just before each look
				if n%renew >= renew-3 {
					come = 100
				}
			case 3: // bursts of one persistent client
				if n%renew == renew-1 {
					come, to = 60, n/mode%servers
				}
			case 4: // a flood that fills the queues of all servers
				come, lost = 10, 0.9
			case 5: // a scanner that sends only SYNs to one server
				come, to = 1, n/mode%servers
			case 6: // the network fails
				come, lost = 1, 1
			case 7: // long polls, half idle
				if n%200 == 0 {
					come = 1
				}
			case 8: // uploads: no new connections
				for i := range late {
					late[i][n%1000]++
				}
			}
			for range come {
				i := to
				if turn++; to < 0 {
					i = turn % servers
				}
				traffic[i].Connections++
				if delay := random.IntN(40); i != gray { // a lost SYN is resent after 1 s, 3 s and 7 s
					for _, again := range []int{0, 100, 300, 700} {
						if random.Float64() >= lost {
							late[i][(n+again+delay)%1000]++
							break
						}
					}
				}
			}
			for i := range late {
				if i != gray {
					traffic[i].PacketsOut += late[i][n%1000]
				}
				if late[i][n%1000] = 0; (n+i*renew/servers)%renew == 0 {
					shown[i] = traffic[i]
				}
			}
			if now = now.Add(tick); n%look != look-1 {
				continue
			}
			for i, w := range all {
				w.Look(shown[i], now)
			}
			Compare(all[:], now)
			for i, w := range all {
				if w.Suspected && i != gray || !w.Suspected && i == gray && n > end+3*renew+look/2 {
					t.Fatalf("seed %d, %v, traffic %d: server %d suspected: %t, gray is %d: %+v",
						seed, time.Duration(n)*tick, kind, i, w.Suspected, gray, *w)
				}
			}
		}
	}
}
