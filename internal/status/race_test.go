package status

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"ldirectord/internal/core"
	"ldirectord/internal/director"
	"ldirectord/internal/notify"
	"ldirectord/internal/testkit"
	"ldirectord/ipvsctl"
)

// For the race detector: a reload changes nothing that a scrape is still using.
func TestScrapingWhileReloading(t *testing.T) {
	journal := notify.NewJournal()
	d := director.New(director.Deps{Table: ipvsctl.NewMemory(nil),
		World: core.World{Tell: []core.Receiver{core.Words(journal.Emit)}}})
	ctx, stop := running(t, d, services(0))
	var scrapers sync.WaitGroup
	reloaded := make(chan struct{})
	for range 4 {
		scrapers.Go(func() {
			for {
				select {
				case <-reloaded:
					return
				default:
				}
				if err := scrape(ctx, d); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 20 {
		testkit.OK(t, d.Reload(ctx, planOf(t, services(i)), false))
	}
	close(reloaded)
	scrapers.Wait()
	stop()
	testkit.OK(t, journal.Close(context.Background()))
}

func scrape(ctx context.Context, d *director.Director) error {
	now, err := d.Snapshot(ctx)
	if err != nil {
		return err
	}
	return errors.Join(WriteMetrics(io.Discard, now, process()),
		NewReport(now, process()).WriteText(io.Discard))
}

// services is a configuration whose servers depend on n.
func services(n int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "checkinterval = 1\n")
	for i := range 20 {
		fmt.Fprintf(&b, "virtual = 192.0.2.%d:80\n\treal = 198.51.100.1:80 gate\n"+
			"\treal = 198.51.100.%d:80 gate\n\tchecktype = connect\n", i+1, 2+n%5)
	}
	return []byte(b.String())
}
