package director

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/schedule"
	"ldirectord/core"
	"ldirectord/ipvsctl"
	"ldirectord/judge"
	"ldirectord/lvs"
	"ldirectord/notify"
)

// counting is a table in memory that counts its requests.
type counting struct {
	*ipvsctl.Memory
	mu      sync.Mutex
	ops     int
	largest int // the largest batch
	reads   int
}

func (c *counting) Do(ctx context.Context, ops ...lvs.Op) []error {
	c.mu.Lock()
	c.ops, c.largest = c.ops+len(ops), max(c.largest, len(ops))
	c.mu.Unlock()
	return c.Memory.Do(ctx, ops...)
}

func (c *counting) Read(ctx context.Context) (lvs.Table, error) {
	c.mu.Lock()
	c.reads++
	c.mu.Unlock()
	return c.Memory.Read(ctx)
}

// took returns the counts since the last call.
func (c *counting) took() (ops, largest, reads int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ops, largest, reads = c.ops, c.largest, c.reads
	c.ops, c.largest, c.reads = 0, 0, 0
	return ops, largest, reads
}

// crowd is a hundred sections of fifty servers, of which half are out. Back brings those back. No checks are made.
func crowd(t testing.TB, table ipvsctl.Client, slowstart int, move func([]judge.Record)) (back, end func()) {
	var file strings.Builder
	fmt.Fprintf(&file, "checkinterval = 3600\nslowstart = %d\n", slowstart)
	for i := range 100 {
		fmt.Fprintf(&file, "virtual = 10.0.0.%d:80\n\tchecktype = connect\n\tscheduler = wlc\n\treal = 10.1.%d.1->10.1.%d.50:80 masq 1000\n", i, i, i)
	}
	p := planChecked(t, file.String(), func(checker.Spec) (checker.Checker, error) { return silent{}, nil })
	j := notify.NewJournal()
	d := New(Deps{Table: table, World: core.World{Tell: []core.Receiver{core.Words(j.Emit), core.Commands(notify.NewHooks(j).Run)}, Move: move}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	tasks := p.Tasks
	go func() { ended <- d.Run(ctx, p) }()
	<-d.Started()
	bring := func(r checker.Result, which func(int) bool) {
		var updates []schedule.Update
		for i, task := range tasks {
			if which(i % 50) {
				updates = append(updates, schedule.Update{Task: task, Result: r, Began: time.Now()})
			}
		}
		err := d.asked.submit(ctx, func(done chan<- struct{}) {
			d.core.Results(time.Now(), updates)
			close(done)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	bring(checker.Result{OK: true}, func(i int) bool { return i < 25 })
	bring(checker.Result{Detail: "out"}, func(i int) bool { return i >= 25 })
	back = func() { // one section after the other
		all := tasks
		for section := range slices.Chunk(all, 50) {
			tasks = section
			bring(checker.Result{OK: true}, func(i int) bool { return i >= 25 })
			time.Sleep(7 * time.Millisecond)
		}
	}
	return back, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := j.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

// 2,500 servers that come back at once climb together. Each second has one operation for each server, in batches of
// 64, and one reading of the table. There are a few records at the beginning and at the end.
func TestManyClimbAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const seconds = 30
		table := &counting{Memory: ipvsctl.NewMemory(nil)}
		records := 0
		back, end := crowd(t, table, seconds, func([]judge.Record) { records++ })
		time.Sleep(time.Minute + time.Second/2)
		table.took()
		back()
		synctest.Wait()
		if ops, _, _ := table.took(); ops != 2500 {
			t.Errorf("the servers came back with %d operations, want 2500", ops)
		}
		for i := range seconds {
			time.Sleep(time.Second)
			synctest.Wait()
			ops, largest, reads := table.took()
			if ops > 2500 || largest > lvs.Batch || reads > 1 || i > 1 && (ops != 2500 || largest < lvs.Batch) {
				t.Errorf("second %d: %d operations, %d at once, %d readings", i, ops, largest, reads)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if ops, _, reads := table.took(); ops > 2500 || reads > 1 || records > 8 {
			t.Errorf("after the climb: %d operations, %d readings; %d records in all", ops, reads, records)
		}
		have, err := table.Memory.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range have {
			for _, dest := range s.Dests {
				if dest.Weight != 1000 {
					t.Errorf("%v is left with weight %d", dest.Addr, dest.Weight)
				}
			}
		}
		end()
	})
}

// BenchmarkClimb is the processor time of 2,500 climbing servers, for each second.
func BenchmarkClimb(b *testing.B) {
	table := &counting{Memory: ipvsctl.NewMemory(nil)}
	back, end := crowd(b, table, 600, nil)
	time.Sleep(time.Second)
	back()
	time.Sleep(2 * time.Second)
	runtime.GC()
	const window = 5 * time.Second
	var before, after runtime.MemStats
	for b.Loop() {
		table.took()
		runtime.ReadMemStats(&before)
		start := cpuTime()
		time.Sleep(window)
		b.ReportMetric((cpuTime()-start).Seconds()*1000/window.Seconds(), "cpu-ms/s")
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/window.Seconds()/1024, "KiB/s")
		ops, _, reads := table.took()
		b.ReportMetric(float64(ops)/window.Seconds(), "ops/s")
		b.ReportMetric(float64(reads)/window.Seconds(), "reads/s")
	}
	end()
}
