package status

import (
	"bufio"
	_ "embed" // the metrics' names and texts are part of the program
	"fmt"
	"strconv"
	"strings"
	"time"

	"ldirectord/internal/view"
)

// exposition writes the text format of Prometheus, version 0.0.4. (The client library of Prometheus would make the
// program 3 MB larger, add nine modules, and create an object for each series at each scrape.) Flush returns the
// writer's error.
type exposition struct {
	w *bufio.Writer
	s *view.Snapshot
}

// family is one metric, to which samples are added.
type family struct {
	exposition
	name string
}

//go:embed metrics.tsv
var metricRows string

// family begins a metric. Its kind and help text are in metrics.tsv.
func (e exposition) family(name string) family {
	_, row, _ := strings.Cut(metricRows, "\n"+name+"\t")
	row, _, _ = strings.Cut(row, "\n")
	kind, help, _ := strings.Cut(row, "\t")
	if e.s.Small && kind == "histogram" {
		kind = "summary" // without its buckets
	}
	fmt.Fprintf(e.w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
	return family{e, name}
}

// add writes one sample. labels contains names and values alternately.
func (f family) add(value float64, labels ...string) {
	f.w.WriteString(f.name)
	for i := 0; i < len(labels); i += 2 {
		f.w.WriteByte("{,"[min(i, 1)])
		f.w.WriteString(labels[i])
		f.w.WriteString(`="`)
		escaped.WriteString(f.w, labels[i+1])
		f.w.WriteByte('"')
	}
	if len(labels) > 0 {
		f.w.WriteByte('}')
	}
	f.w.WriteByte(' ')
	f.w.Write(strconv.AppendFloat(f.w.AvailableBuffer(), value, 'f', -1, 64))
	f.w.WriteByte('\n')
}

// virtuals adds a sample for each virtual service for which value returns one.
func (f family) virtuals(value func(*view.Virtual) (n float64, has bool)) {
	for i := range f.s.Virtuals {
		if n, has := value(&f.s.Virtuals[i]); has {
			f.add(n, "virtual", f.s.Virtuals[i].ID)
		}
	}
}

// servers adds a sample for each real server for which value returns one. label is an optional further label.
func (f family) servers(value func(*Server) (n float64, has bool), label ...string) {
	labels := append([]string{"virtual", "", "real", ""}, label...)
	for v, r := range f.s.Each() {
		if n, has := value(r); has {
			labels[1], labels[3] = v.ID, r.Real
			f.add(n, labels...)
		}
	}
}

// escaped escapes label values for the text format.
var escaped = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// seconds returns a time in seconds since the epoch.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
