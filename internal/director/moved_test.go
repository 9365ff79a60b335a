package director

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// moving moves two names at random over addresses that go up and down, and knows what the table must have. For each
// name that is its address, if up, otherwise the address that served last, if it has been up ever since.
type moving struct {
	*scenario
	rand    *rand.Rand
	draws   []string
	down    map[string]bool
	at      map[string]string // the address of a name
	serves  map[string]string // the address that serves for a name; empty if none does
	drained string
	maint   string
}

const movingConfig = `resolve = 30
checkinterval = 1
virtual = 10.1.0.1:80
	real = web1:80 masq
	real = web2:80 masq 2
	real = 10.2.0.9:80 masq 3
	checktype = connect
`

// TestNamesThatMoveAtRandom moves names, with reloads, crashes, orders and standby in between.
func TestNamesThatMoveAtRandom(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			m := &moving{scenario: newScenario(t), rand: rand.New(rand.NewPCG(seed, 0)),
				down: map[string]bool{}, at: map[string]string{}, serves: map[string]string{}}
			m.configs["one"] = movingConfig
			if seed%3 == 0 {
				m.configs["one"] = strings.Replace(movingConfig, "virtual", "draintime = 1\nvirtual", 1)
			}
			if seed%2 == 0 {
				m.configs["one"] += "\tquiescent = yes\n"
			}
			m.do("name", "web1", "10.2.0.10", "web2", "10.2.0.20")
			m.at = map[string]string{"web1": "10.2.0.10", "web2": "10.2.0.20"}
			m.do("start", "one")
			for range 60 {
				m.settle()
				if t.Failed() {
					t.Logf("seed %d: %s", seed, strings.Join(m.draws, "; "))
					break
				}
				m.draw()
			}
			m.stop(ErrHandover)
			time.Sleep(time.Second)
		})
	}
}

func (m *moving) do(words ...string) {
	m.draws = append(m.draws, strings.Join(words, " "))
	m.step(words, "")
}

// draw plays a random event.
func (m *moving) draw() {
	names := []string{"web1", "web2"}
	pick := m.rand.IntN(2)
	name := names[pick]
	addr := fmt.Sprintf("10.2.0.%d%d", pick+1, m.rand.IntN(3))
	switch m.rand.IntN(14) {
	case 0:
		m.do("reload", "one")
	case 1:
		m.do("handover")
		m.do("start", "one")
		if m.maint != "" && !strings.Contains(m.configs["one"], "quiescent") &&
			m.serves[m.maint] != m.at[m.maint] {
			m.serves[m.maint] = "" // the table found at the start does not have it
		}
	case 2:
		m.take(&m.drained, name, "drain")
	case 3:
		m.take(&m.drained, "", "drain")
	case 12:
		m.take(&m.maint, name, "maint")
	case 13:
		m.take(&m.maint, "", "maint")
	case 4, 5, 6, 7:
		m.at[name] = addr
		m.do("name", name, addr)
	default:
		m.down[addr] = !m.down[addr]
		m.do(map[bool]string{true: "down", false: "up"}[m.down[addr]], addr+":80")
	}
}

// take gives an order for a name, instead of the order's last name and of the name's other order. An empty name means
// none.
func (m *moving) take(holder *string, name, order string) {
	for _, was := range []string{*holder, name} {
		if was != "" {
			m.do("order", "tcp:10.1.0.1:80", was+":80", "ready")
		}
	}
	if m.drained == name || m.maint == name {
		m.drained, m.maint = strings.ReplaceAll(m.drained, name, ""), strings.ReplaceAll(m.maint, name, "")
	}
	if *holder = name; name != "" {
		m.do("order", "tcp:10.1.0.1:80", name+":80", order)
	}
}

// settle waits, then compares the table.
func (m *moving) settle() {
	time.Sleep(6 * time.Second)
	synctest.Wait()
	want := map[netip.AddrPort]uint32{netip.MustParseAddrPort("10.2.0.9:80"): 3}
	for i, name := range []string{"web1", "web2"} {
		if m.down[m.serves[name]] {
			m.serves[name] = ""
		}
		if !m.down[m.at[name]] {
			m.serves[name] = m.at[name]
		}
		weight := uint32(i + 1)
		if m.drained == name {
			weight = 0
		}
		quiescent := strings.Contains(m.configs["one"], "quiescent")
		if m.maint == name {
			weight = 0
		}
		if s := m.serves[name]; s != "" && (m.maint != name || quiescent) {
			want[netip.MustParseAddrPort(s+":80")] = weight
		}
		if quiescent && (m.down[m.at[name]] || m.maint == name) {
			want[netip.MustParseAddrPort(m.at[name]+":80")] = 0
		}
	}
	table := testkit.Must(m.table.Read(context.Background()))(m.t)
	have := table[lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddrPort("10.1.0.1:80")}].Dests
	same := len(have) == len(want)
	for addr, weight := range want {
		d, in := have.At(addr)
		same = same && in && d.Weight == weight
	}
	if !same {
		m.t.Errorf("the table has %v, want %v", have, want)
	}
}
