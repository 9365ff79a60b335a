package peers

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// result is what was measured of a row: by program, a sample for each repeat.
type result struct {
	row
	samples map[string][]sample
}

// enough is the share of its checks below which a program has not kept its interval.
const enough = 0.95

const heading = `|  |  | CPU, µs a check | | | ldirectord is | | RSS, MiB | | | first pass, s | | |
| check | servers | ldirectord | keepalived | C | × keepalived | × C | ldirectord | keepalived | C | ldirectord | keepalived | C |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
`

// table has medians. A ratio is the median of the ratios within each repeat: what disturbs the machine disturbs both.
func table(results []result) string {
	var b strings.Builder
	b.WriteString(heading)
	missed := false
	for _, r := range results {
		fmt.Fprintf(&b, "| %s | %d, %v", r.kind, r.servers, r.every)
		for _, p := range programs {
			mark := ""
			if s := r.samples[p.name]; len(s) > 0 && median(s, func(s sample) float64 { return s.rate }) < enough {
				mark, missed = "*", true
			}
			fmt.Fprintf(&b, " | %s%s", r.middle(p.name, "%.0f", func(s sample) float64 { return s.cpu }), mark)
		}
		fmt.Fprintf(&b, " | %s | %s", r.ratio("keepalived"), r.ratio("limit"))
		for _, p := range programs {
			fmt.Fprintf(&b, " | %s", r.middle(p.name, "%.1f", func(s sample) float64 { return s.rss }))
		}
		for _, p := range programs {
			fmt.Fprintf(&b, " | %s", r.middle(p.name, "%.2f", func(s sample) float64 { return s.first }))
		}
		b.WriteString(" |\n")
	}
	if missed {
		b.WriteString("\n\\* made less than 95 % of the checks that its interval asks for\n")
	}
	return b.String()
}

func (r result) middle(program, format string, of func(sample) float64) string {
	if len(r.samples[program]) == 0 {
		return "–"
	}
	return fmt.Sprintf(format, median(r.samples[program], of))
}

// ratio is the processor time of a check of ldirectord's to that of another program.
func (r result) ratio(other string) string {
	ours, theirs := r.samples["ldirectord"], r.samples[other]
	n := min(len(ours), len(theirs))
	if n == 0 {
		return "–"
	}
	ratios := make([]float64, n)
	for i := range ratios {
		ratios[i] = ours[i].cpu / theirs[i].cpu
	}
	return fmt.Sprintf("%.2f", median(ratios, func(x float64) float64 { return x }))
}

func median[T any](values []T, of func(T) float64) float64 {
	var sorted []float64
	for _, v := range values {
		sorted = append(sorted, of(v))
	}
	slices.Sort(sorted)
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func TestTable(t *testing.T) {
	got := table([]result{
		{row{"http", 100, time.Second}, map[string][]sample{
			"ldirectord": {{100, 12, 0.1, 1}, {60, 14, 0.3, 1}, {90, 13, 0.2, 1}},
			"keepalived": {{200, 15, 2, 1}, {100, 15, 2, 0.9}, {100, 15, 2, 0.9}},
			"limit":      {{50, 1, 1, 1}, {50, 1, 1, 1}, {50, 1, 1, 1}},
		}},
		{row{"https", 1000, time.Second}, map[string][]sample{"ldirectord": {{300, 20, 1, 1}, {400, 20, 1, 1}}}},
	})
	want := heading +
		"| http | 100, 1s | 90 | 100* | 50 | 0.60 | 1.80 | 13.0 | 15.0 | 1.0 | 0.20 | 2.00 | 1.00 |\n" +
		"| https | 1000, 1s | 350 | – | – | – | – | 20.0 | – | – | 1.00 | – | – |\n" +
		"\n\\* made less than 95 % of the checks that its interval asks for\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
