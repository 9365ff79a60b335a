package icmp

import (
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"
)

// atOnce is how many echoes are sent together.
const atOnce = 50

// benchmark reports the processor time of one ping, user and system.
func benchmark(b *testing.B, perRound int, round func(p *Pinger)) {
	p := NewPinger()
	defer p.Close()
	if _, err := p.Ping(b.Context(), loopbacks[0], usual, patient); err != nil {
		b.Skip(err)
	}
	b.ReportAllocs()
	var begin, end syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &begin)
	rounds := 0
	for b.Loop() {
		round(p)
		rounds++
	}
	syscall.Getrusage(syscall.RUSAGE_SELF, &end)
	used := end.Utime.Nano() + end.Stime.Nano() - begin.Utime.Nano() - begin.Stime.Nano()
	b.ReportMetric(float64(used)/float64(rounds*perRound), "cpu-ns/ping")
}

func BenchmarkPing(b *testing.B) {
	benchmark(b, 1, func(p *Pinger) {
		if _, err := p.Ping(b.Context(), loopbacks[0], usual, patient); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkEchoes(b *testing.B) {
	var wait sync.WaitGroup
	var batch []*Echo
	for i := range atOnce {
		batch = append(batch, &Echo{To: netip.AddrFrom4([4]byte{127, 1, 1, byte(i)}),
			Done: func(_ *Echo, _ time.Duration, err error) {
				if err != nil {
					b.Error(err)
				}
				wait.Done()
			}})
	}
	benchmark(b, atOnce, func(p *Pinger) {
		wait.Add(atOnce)
		p.Send(batch)
		wait.Wait()
	})
}
