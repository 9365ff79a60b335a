package status

import (
	"bufio"
	_ "embed" // the metrics' names and texts are part of the program
	"fmt"
	"iter"
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
	name   string
	suffix string   // of the name, in samples of a histogram
	labels []string // of each sample: names and values alternately
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
	return family{exposition: e, name: name}
}

// add writes one sample, with more labels of its own.
func (f family) add(value float64, labels ...string) {
	f.w.WriteString(f.name)
	f.w.WriteString(f.suffix)
	before := byte('{')
	for _, list := range [][]string{f.labels, labels} {
		for i := 0; i < len(list); i += 2 {
			f.w.WriteByte(before)
			f.w.WriteString(list[i])
			f.w.WriteString(`="`)
			escaped.WriteString(f.w, list[i+1])
			f.w.WriteByte('"')
			before = ','
		}
	}
	if before == ',' {
		f.w.WriteByte('}')
	}
	f.w.WriteByte(' ')
	f.w.Write(strconv.AppendFloat(f.w.AvailableBuffer(), value, 'f', -1, 64))
	f.w.WriteByte('\n')
}

// virtuals yields each virtual service, and the metric with its label.
func (f family) virtuals() iter.Seq2[family, *view.Virtual] {
	f.labels = []string{"virtual", ""}
	return func(yield func(family, *view.Virtual) bool) {
		for i := range f.s.Virtuals {
			v := &f.s.Virtuals[i]
			if f.labels[1] = v.ID; !yield(f, v) {
				return
			}
		}
	}
}

// servers yields each real server, and the metric with its labels.
func (f family) servers() iter.Seq2[family, *Server] {
	f.labels = []string{"virtual", "", "real", ""}
	return func(yield func(family, *Server) bool) {
		for v, r := range f.s.Each() {
			if f.labels[1], f.labels[3] = v.ID, r.Real; !yield(f, r) {
				return
			}
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
