package lab

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/internal/testkit"
)

const honestConfig = `checkinterval = 1
checktimeout = 2
virtual = 198.51.100.10:7000
REALS:7000 masq
        scheduler = rr
        checktype = connect
        observe = yes
virtual = 198.51.100.10:7001
REALS:7000 masq
        scheduler = sh
        checktype = connect
        observe = yes
virtual = 198.51.100.10:7000
REALS:7000 masq
        scheduler = rr
        protocol = udp
        checktype = on
        observe = yes
`

// honestLab has servers without faults, and clients of many kinds.
type honestLab struct {
	*lab
	names        []string
	made, failed atomic.Int64 // requests
	packets      atomic.Int64 // SYNs without a connection
}

// honestTraffic is what clients do until over is closed. Each kind runs in the client's namespace.
var honestTraffic = map[string]func(l *honestLab, over <-chan struct{}){
	"steady": func(l *honestLab, over <-chan struct{}) {
		for every(over, 10*time.Millisecond) {
			l.request(natVIP+":7000", 0, time.Second)
		}
	},
	"bursts": func(l *honestLab, over <-chan struct{}) {
		for every(over, 500*time.Millisecond+rand.N(4*time.Second)) {
			l.together(120, func() { l.request(natVIP+":7000", 0, 2*time.Second) })
		}
	},
	"half idle": func(l *honestLab, over <-chan struct{}) {
		l.together(40, func() {
			for first := true; first || every(over, time.Second); first = false {
				l.request(natVIP+":7000", rand.N(8*time.Second), 10*time.Second)
			}
		})
	},
	"long polls": func(l *honestLab, over <-chan struct{}) {
		l.together(60, func() {
			for first := true; first || every(over, 100*time.Millisecond); first = false {
				l.poll(over)
			}
		})
	},
	"uploads": func(l *honestLab, over <-chan struct{}) {
		l.together(6, func() {
			for first := true; first || every(over, 100*time.Millisecond); first = false {
				l.upload(over)
			}
		})
	},
	"udp beside": func(l *honestLab, over <-chan struct{}) {
		conn, err := net.Dial("udp4", natVIP+":7000")
		if err != nil {
			l.t.Error(err)
			return
		}
		defer conn.Close()
		for every(over, 10*time.Millisecond) {
			conn.Write([]byte("?")) // no server answers
		}
	},
	"a scanner": func(l *honestLab, over <-chan struct{}) {
		l.syns(over, 10*time.Millisecond, func() netip.Addr { return manyClient }, 7000, 7001, 7002)
	},
	"a SYN flood": func(l *honestLab, over <-chan struct{}) {
		l.syns(over, 3*time.Millisecond, func() netip.Addr {
			return netip.AddrFrom4([4]byte{198, 18, byte(rand.N(256)), byte(rand.N(256))})
		}, 7000)
	},
}

// Traffic that looks strange but is honest, for as long as HONEST_TRAFFIC says: bursts, half-idle connections, long
// polls, uploads, udp, scanners and floods, each alone and some together. No server is suspected. At the end one
// server stops answering, and is suspected.
func TestKernelLongHonest(t *testing.T) {
	onlyLong(t)
	lasts := testkit.Must(time.ParseDuration(cmp.Or(os.Getenv("HONEST_TRAFFIC"), "4m")))(t, "HONEST_TRAFFIC")
	l := newHonestLab(t)
	var lines []string
	for _, ns := range l.names {
		lines = append(lines, "        real = "+strings.TrimSuffix(observedAt(ns), ":7000"))
	}
	config := honestConfig
	for range 3 {
		before, after, _ := strings.Cut(config, "REALS")
		rest, more, _ := strings.Cut(after, "\n")
		config = before + strings.Join(lines, rest+"\n") + rest + "\n" + more
	}
	l.config(config)
	l.does("start")
	for _, ns := range l.names {
		l.until(10*time.Second, "-r "+observedAt(ns)+" -m -w 1")
	}
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	kinds := slices.Sorted(maps.Keys(honestTraffic))
	for turn, begin := 0, time.Now(); time.Since(begin) < lasts; turn++ {
		chosen := kinds[turn%len(kinds):][:1]
		if turn >= len(kinds) {
			chosen = nil
			for _, i := range random.Perm(len(kinds))[:2+random.IntN(3)] {
				chosen = append(chosen, kinds[i])
			}
		}
		cookies := random.IntN(2)
		l.onAll(fmt.Sprintf("sysctl -qw net.ipv4.tcp_syncookies=%d net.ipv4.tcp_max_syn_backlog=64", cookies))
		made, failed, packets, before := l.made.Load(), l.failed.Load(), l.packets.Load(), len(l.logText())
		end := l.play(chosen...)
		time.Sleep(10 * time.Second)
		end()
		n, _ := l.changes(before)
		t.Logf("%s, syncookies %d: %d requests, %d failed, %d SYNs alone, %d changes of the table",
			strings.Join(chosen, ", "), cookies,
			l.made.Load()-made, l.failed.Load()-failed, l.packets.Load()-packets, n)
		if said := l.logText(); strings.Contains(said, "Suspected: ") {
			t.Fatalf("%s: a server is suspected:\n%s", chosen, said)
		}
	}
	t.Logf("%d requests, %d failed, %d SYNs alone", l.made.Load(), l.failed.Load(), l.packets.Load())
	l.onAll("sysctl -qw net.ipv4.tcp_syncookies=1")
	defer l.play("steady", "steady", "steady")()
	time.Sleep(5 * time.Second)
	l.sh("ip -n %srs1 route del default", l.prefix)
	l.saysWithin(15*time.Second, "Suspected: 192.0.2.21:7000 (tcp:198.51.100.10:7000): ")
	l.does("stop")
}

func newHonestLab(t *testing.T) *honestLab {
	l := &honestLab{lab: newNetwork(t, 4)}
	for i := range 4 {
		ns := fmt.Sprintf("rs%d", i+1)
		l.names = append(l.names, ns)
		l.honest(ns)
	}
	// Packets to addresses that don't exist are dropped, without an ICMP error.
	l.sh("ip -n %sdir route add 198.18.0.0/15 via 198.51.100.100", l.prefix)
	return l
}

// honest runs a server that echoes the first byte. For a long poll it waits first. It doesn't answer uploads and
// datagrams.
func (l *honestLab) honest(ns string) {
	datagrams := madeIn(l.lab, ns, func() (net.PacketConn, error) { return net.ListenPacket("udp", ":7000") })
	l.t.Cleanup(func() { datagrams.Close() })
	testkit.Serve(l.t, l.listen(ns, ":7000"), answerHonestly)
}

const (
	atOnce = '?'
	later  = 'p' // a long poll
	never  = 'u' // an upload
)

const pollTime = 7 * time.Second

func answerHonestly(c net.Conn) {
	defer c.Close()
	first := make([]byte, 1)
	if _, err := c.Read(first); err != nil {
		return
	}
	switch first[0] {
	case never:
		io.Copy(io.Discard, c)
	case later:
		time.Sleep(pollTime)
	}
	c.Write(first)
}

// play runs clients of these kinds until end is called.
func (l *honestLab) play(kinds ...string) (end func()) {
	over := make(chan struct{})
	var all sync.WaitGroup
	for _, kind := range kinds {
		all.Go(func() {
			if err := l.enter("client", func() { honestTraffic[kind](l, over) }); err != nil {
				l.t.Error(err)
			}
		})
	}
	return func() { close(over); all.Wait() }
}

// every waits for the next turn. It returns false when the time is over.
func every(over <-chan struct{}, pause time.Duration) bool {
	select {
	case <-over:
		return false
	case <-time.After(pause):
		return true
	}
}

// together calls f n times at once, in the client's namespace.
func (l *honestLab) together(n int, f func()) {
	var all sync.WaitGroup
	for range n {
		all.Go(func() { l.enter("client", f) })
	}
	all.Wait()
}

// request makes a request after a pause, and counts it.
func (l *honestLab) request(to string, pause, patience time.Duration) {
	l.made.Add(1)
	conn, err := net.DialTimeout("tcp4", to, patience)
	if err == nil {
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		time.Sleep(pause)
		conn.Write([]byte{atOnce})
		_, err = conn.Read(make([]byte, 1))
	}
	if err != nil {
		l.failed.Add(1)
	}
}

// dial opens a connection, and counts it. It returns nil if that failed.
func (l *honestLab) dial() net.Conn {
	l.made.Add(1)
	conn, err := net.DialTimeout("tcp4", natVIP+":7000", time.Second)
	if err != nil {
		l.failed.Add(1)
		return nil
	}
	return conn
}

// poll makes a long poll, and may leave before the answer.
func (l *honestLab) poll(over <-chan struct{}) {
	conn := l.dial()
	if conn == nil {
		return
	}
	defer conn.Close()
	conn.Write([]byte{later})
	every(over, rand.N(pollTime))
}

// upload sends for some seconds. It gets no answer.
func (l *honestLab) upload(over <-chan struct{}) {
	conn := l.dial()
	if conn == nil {
		return
	}
	defer conn.Close()
	bytes := append([]byte{never}, make([]byte, 4000)...)
	for begin := time.Now(); time.Since(begin) < 5*time.Second && every(over, 20*time.Millisecond); {
		conn.SetDeadline(time.Now().Add(time.Second))
		if _, err := conn.Write(bytes); err != nil {
			l.failed.Add(1)
			return
		}
	}
}

// onAll runs a command on all servers.
func (l *honestLab) onAll(command string) {
	for _, ns := range l.names {
		l.sh("ip netns exec %s%s %s", l.prefix, ns, command)
	}
}

// syns sends SYNs without connections, to each of these ports in turn.
func (l *honestLab) syns(over <-chan struct{}, pause time.Duration, from func() netip.Addr, ports ...uint16) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		l.t.Error(err)
		return
	}
	defer unix.Close(fd)
	to := netip.MustParseAddr(natVIP)
	for i := 0; every(over, pause); i++ {
		packet := synPacket(netip.AddrPortFrom(from(), uint16(1024+rand.N(60000))),
			netip.AddrPortFrom(to, ports[i%len(ports)]))
		if err := unix.Sendto(fd, packet, 0, &unix.SockaddrInet4{Addr: to.As4()}); err != nil {
			l.t.Errorf("a SYN: %v", err)
			return
		}
		l.packets.Add(1)
	}
}
