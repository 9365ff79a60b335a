package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
	"ldirectord/ipvsctl"
)

// These play pairs of daemons with a virtual service in common: a.cf has weight 1 for its server, b.cf weight 5. One
// pair is played in every run. The others take minutes. Those that wait are for make long-neighbours alone.
func TestKernelNeighbours(t *testing.T) { playPairs(t, "played") }

func TestKernelLongNeighbours(t *testing.T) {
	onlyLong(t)
	playPairs(t, "long")
}

func TestKernelLongNeighboursPerl(t *testing.T) {
	onlyLong(t)
	playPairs(t, "perl")
}

func TestKernelLongNeighboursWait(t *testing.T) {
	onlyLong(t)
	playPairs(t, "wait")
}

func playPairs(t *testing.T, which string) {
	l := newLabOf(t, 2)
	l.echo("rs1", ":7000")
	l.play("neighbours/" + which + "-*")
}

// file writes a configuration. Its log is next to it.
func (l *lab) file(name, text string) string {
	l.t.Helper()
	path := filepath.Join(l.dir, name)
	text = fmt.Sprintf("logfile = \"%s.log\"\ncheckinterval = 1\nchecktimeout = 1\n", path) + text
	testkit.Write(l.t, path+".new", text)
	testkit.OK(l.t, os.Rename(path+".new", path))
	return path
}

// watchedPair reads the pair's virtual service all the time.
type watchedPair struct {
	mu   sync.Mutex
	seen []string      // weights of the server, in their order
	gap  time.Duration // the longest time in which the service had no server with a weight
	end  func()
}

// watchPair watches from when the service serves.
func (l *lab) watchPair() *watchedPair {
	l.t.Helper()
	l.until(10*time.Second, pairServer)
	ctx, stop := context.WithCancel(context.Background())
	over := make(chan struct{})
	p := &watchedPair{end: func() { stop(); <-over }}
	go func() {
		defer close(over)
		if err := l.enter("dir", func() { p.look(ctx, l) }); err != nil {
			l.t.Error(err)
		}
	}()
	l.t.Cleanup(p.end)
	return p
}

func (p *watchedPair) look(ctx context.Context, l *lab) {
	k, err := ipvsctl.Open(ipvsctl.Kernel)
	if err != nil {
		l.t.Error(err)
		return
	}
	defer k.Close()
	var empty time.Time
	for ; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		table, err := k.Read(ctx)
		if err != nil {
			continue
		}
		weight := weightOf(lvs.Format(table))
		p.mu.Lock()
		switch {
		case weight == "" && empty.IsZero():
			empty = time.Now()
		case weight == "":
			p.gap = max(p.gap, time.Since(empty)-l.idle.since(empty))
		default:
			if empty = (time.Time{}); len(p.seen) == 0 || p.seen[len(p.seen)-1] != weight {
				p.seen = append(p.seen, weight)
			}
		}
		p.mu.Unlock()
	}
}

func (p *watchedPair) weights() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.seen)
}

func (p *watchedPair) String() string { return fmt.Sprint(p.weights()) }

const pairServer = "-t 192.0.2.10:7000 -r 192.0.2.21:7000 -g -w "

// weightOf is the weight of the pair's server; empty if it does not serve.
func weightOf(table string) string {
	_, rest, _ := strings.Cut(table, pairServer)
	weight, _, _ := strings.Cut(rest, "\n")
	weight, _, _ = strings.Cut(weight, " ")
	return strings.TrimPrefix(weight, "0")
}
