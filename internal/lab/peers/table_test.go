package peers

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"ldirectord/internal/testkit"
)

// result is what was measured of a row: by program, a sample for each repeat.
type result struct {
	row
	samples map[string][]sample
}

// enough is the share of its checks below which a program has not kept its interval.
const enough = 0.95

// heading names the programs once for each thing that is measured.
var heading = []string{
	"check", "servers", "µs a check: ldirectord", "keepalived", "C", "× keepalived", "× C",
	"MiB: ldirectord", "keepalived", "C", "first pass, s: ldirectord", "keepalived", "C",
}

// table has medians. A ratio is the median of the ratios within each repeat: what disturbs the machine disturbs both.
func table(results []result) string {
	lines := [][]string{heading}
	note := ""
	for _, r := range results {
		line := []string{r.kind, fmt.Sprintf("%d, %v", r.servers, r.every)}
		for _, p := range programs {
			cpu := r.middle(p.name, "%.0f", func(s sample) float64 { return s.cpu })
			if s := r.samples[p.name]; len(s) > 0 &&
				median(s, func(s sample) float64 { return s.rate }) < enough {
				cpu += "*"
				note = "\n\\* made less than 95 % of the checks that its interval asks for\n"
			}
			line = append(line, cpu)
		}
		line = append(line, r.ratio("keepalived"), r.ratio("limit"))
		for _, p := range programs {
			line = append(line, r.middle(p.name, "%.1f", func(s sample) float64 { return s.rss }))
		}
		for _, p := range programs {
			line = append(line, r.middle(p.name, "%.2f", func(s sample) float64 { return s.first }))
		}
		lines = append(lines, line)
	}
	return markdown(lines) + note
}

// markdown is a table whose first line is its heading, as wide as its cells.
func markdown(lines [][]string) string {
	width := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for n, line := range lines {
		for i, cell := range line {
			fmt.Fprintf(&b, "| %-*s ", width[i], cell)
		}
		b.WriteString("|\n")
		if n > 0 {
			continue
		}
		for _, w := range width {
			b.WriteString("|" + strings.Repeat("-", w+2))
		}
		b.WriteString("|\n")
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
	ours, taken := r.samples["ldirectord"], r.samples[other]
	n := min(len(ours), len(taken))
	if n == 0 {
		return "–"
	}
	ratios := make([]float64, n)
	for i := range ratios {
		ratios[i] = ours[i].cpu / taken[i].cpu
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
		{row{"https", 1000, time.Second}, map[string][]sample{
			"ldirectord": {{300, 20, 1, 1}, {400, 20, 1, 1}}}},
	})
	testkit.Golden(t, "testdata/table.golden", got)
}
