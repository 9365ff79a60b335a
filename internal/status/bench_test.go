package status

import (
	"encoding/json"
	"fmt"
	"io"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/view"
)

// crowd is a snapshot of 10,000 servers, four in each virtual service.
func crowd() *view.Snapshot {
	now := &view.Snapshot{Time: time.Now(), Counted: time.Now()}
	for i := range 2500 {
		v := view.Virtual{ID: fmt.Sprintf("tcp:10.%d.%d.1:80", i/250, i%250), Scheduler: "wrr", Written: true}
		for j := range 4 {
			v.Servers = append(v.Servers, view.Server{
				Real: fmt.Sprintf("127.%d.%d.%d:80", i/250, i%250, j+1), State: "up", Since: now.Time,
				Up: true, Weight: 1,
				ServerResult: view.ServerResult{Checked: now.Time,
					Last: checker.Result{OK: true, Detail: "200 OK"}},
				ServerCounts: view.ServerCounts{Tally: view.Tally{Checks: 123456}, Counted: true},
			})
		}
		now.Virtuals = append(now.Virtuals, v)
	}
	return now
}

type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

func BenchmarkMetrics10k(b *testing.B) {
	b.Run("full", func(b *testing.B) { benchmarkMetrics(b, crowd()) })
	b.Run("small", func(b *testing.B) {
		now := crowd()
		now.Small = true
		benchmarkMetrics(b, now)
	})
}

func benchmarkMetrics(b *testing.B, now *view.Snapshot) {
	var size counter
	if err := WriteMetrics(&size, now, process()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := WriteMetrics(io.Discard, now, process()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(size)/1e6, "MB/scrape")
}

func BenchmarkReport10k(b *testing.B) {
	now := crowd()
	b.ReportAllocs()
	for b.Loop() {
		if err := json.NewEncoder(io.Discard).Encode(NewReport(now, process())); err != nil {
			b.Fatal(err)
		}
	}
}
