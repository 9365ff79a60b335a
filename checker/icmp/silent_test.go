package icmp

import (
	"errors"
	"net/netip"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// openApart opens a hub in a network namespace of its own, on a network whose addresses no machine has.
func openApart(t *testing.T, ipv6 bool) (*Pinger, *hub) {
	t.Helper()
	ip, err := exec.LookPath("ip")
	if err != nil {
		t.Skip("no network of one's own without ip: ", err)
	}
	type opened struct {
		hub  *hub
		out  []byte
		err  error
		skip bool
	}
	p := NewPinger()
	done := make(chan opened)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine: no other one gets its network namespace
		if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
			done <- opened{err: err, skip: true}
			return
		}
		script := `exec 2>&1; "$0" link set lo up; "$0" link add silent type veth peer name other
			"$0" addr add 10.5.0.1/16 dev silent
			"$0" addr add fd05::1/64 dev silent nodad
			"$0" link set silent up
			"$0" link set other up
			"$0" ntable change name arp_cache dev silent retrans 100
			"$0" ntable change name ndisc_cache dev silent retrans 100`
		out, err := exec.Command("sh", "-ec", script, ip).Output()
		if err != nil {
			done <- opened{out: out, err: err, skip: true}
			return
		}
		hub, err := openHub(&p.asked, way{ipv6: ipv6})
		done <- opened{hub: hub, err: err}
	}()
	o := <-done
	switch {
	case o.skip:
		t.Skipf("no network of one's own here: %v %s", o.err, o.out)
	case o.err != nil:
		t.Fatal(o.err)
	}
	p.opened[way{ipv6: ipv6}] = o.hub
	t.Cleanup(func() { p.Close() })
	return p, o.hub
}

// silentNeighbour is an address on that network.
func silentNeighbour(ipv6 bool, i int) netip.Addr {
	if ipv6 {
		return netip.AddrFrom16([16]byte{0: 0xfd, 1: 5, 14: byte(1 + i/250), 15: byte(1 + i%250)})
	}
	return netip.AddrFrom4([4]byte{10, 5, byte(1 + i/250), byte(1 + i%250)})
}

// Requests to silent neighbours stay in the socket's buffer while the kernel looks for their hardware addresses.
func TestRoomForThousandSilentNeighbours(t *testing.T) {
	p, _ := openApart(t, false)
	var batch []*Echo
	for i := range 1000 {
		batch = append(batch, &Echo{To: silentNeighbour(false, i),
			Done: func(e *Echo, _ time.Duration, err error) { t.Errorf("%v: %v", e.To, err) }})
	}
	p.Send(batch)
	for _, e := range batch {
		if _, err := p.Rest(e, patient); err != nil {
			t.Errorf("%v: %v", e.To, err)
		}
		p.Forget(e)
	}
}

func TestSilentNeighboursFailAndNobodyElseDoes(t *testing.T) {
	for name, c := range map[string]struct {
		dead    int
		timeout time.Duration
		buffer  int // of the socket; 0: as it is opened
	}{
		"room for all": {1000, time.Second, 0},
		"room for few": {300, 3 * time.Second, 16 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			p, h := openApart(t, false)
			if c.buffer > 0 {
				testkit.OK(t, h.SetWriteBuffer(c.buffer))
			}
			var wait sync.WaitGroup
			var down, ours atomic.Int64
			for i := range c.dead {
				wait.Go(func() {
					switch _, err := p.Ping(t.Context(), silentNeighbour(false, i), usual,
						c.timeout); {
					case errors.Is(err, syscall.ENOBUFS):
						ours.Add(1)
					case err != nil:
						down.Add(1)
					}
				})
			}
			for range 20 {
				wait.Go(func() {
					if _, err := p.Ping(t.Context(), loopbacks[0], usual, patient); err != nil {
						t.Errorf("a healthy server: %v", err)
					}
				})
			}
			wait.Wait()
			testkit.Equal(t, int(down.Load()), c.dead, "servers are down; our own shortage:", ours.Load())
		})
	}
}

// A socket whose buffer stays full is a shortage of this machine, reported at the timeout and not later.
func TestPingWaitsForRoomNoLongerThanItsTimeout(t *testing.T) {
	p, h := openApart(t, false)
	testkit.OK(t, h.SetWriteBuffer(1))
	const timeout = 500 * time.Millisecond
	var full atomic.Bool
	var wait sync.WaitGroup
	for i := range 200 {
		wait.Go(func() {
			begin := time.Now()
			_, err := p.Ping(t.Context(), silentNeighbour(false, i), usual, timeout)
			if errors.Is(err, syscall.ENOBUFS) {
				full.Store(true)
			}
			if took := time.Since(begin); took > 2*timeout+patient {
				t.Errorf("%v: %v", took, err)
			}
		})
	}
	wait.Wait()
	if !full.Load() {
		t.Error("the socket was never full: nothing was tested")
	}
}
