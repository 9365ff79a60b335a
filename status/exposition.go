package status

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// exposition writes the text format of Prometheus, version 0.0.4. (Its client library would make the program
// 3 MB larger, bring nine modules, and make an object of each series at each scrape.) Flush returns an error of
// the writer.
type exposition struct{ w *bufio.Writer }

// family begins the samples of one metric. Help is one line.
func (e exposition) family(name, kind, help string) {
	fmt.Fprintf(e.w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// one writes a metric with one sample, which has no labels.
func (e exposition) one(name, kind, help string, value float64) {
	e.family(name, kind, help)
	e.sample(name, value)
}

// sample writes one sample with its labels: names and values in turn.
func (e exposition) sample(name string, value float64, labels ...string) {
	e.w.WriteString(name)
	for i := 0; i < len(labels); i += 2 {
		e.w.WriteByte("{,"[min(i, 1)])
		e.w.WriteString(labels[i])
		e.w.WriteString(`="`)
		escaped.WriteString(e.w, labels[i+1])
		e.w.WriteByte('"')
	}
	if len(labels) > 0 {
		e.w.WriteByte('}')
	}
	e.w.WriteByte(' ')
	e.w.Write(strconv.AppendFloat(e.w.AvailableBuffer(), value, 'f', -1, 64))
	e.w.WriteByte('\n')
}

// escaped is how a label value is written.
var escaped = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// seconds is a time since the epoch.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
