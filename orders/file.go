package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ldirectord/director"
	"ldirectord/instance"
	"ldirectord/run"
	"ldirectord/status"
)

// Ordered are the orders that hold for a daemon, as their file has them.
func Ordered(i instance.Instance) (director.Orders, error) {
	all, err := orderFile(i.Files().Drain).read()
	if errors.Is(err, run.ErrForeign) {
		return director.Orders{}, nil
	}
	return all.At(time.Now()), err
}

// orderFile is the path of the file with the orders. It outlives the daemon, not a boot. After the format each order is
// in a comment. Then there is a line for each server that is taken out, virtual service and real server: it stays
// drained where its comment is damaged.
type orderFile string

// read returns the orders; none when there is no file. Those that it can't read leave the servers drained.
func (f orderFile) read() (director.Orders, error) {
	text, err := run.Read(string(f))
	if err != nil {
		return nil, fmt.Errorf("reading the orders: %w", err)
	}
	if old := string(text); old != "" && !strings.HasPrefix(old, instance.OrdersFormat+"\n") {
		return nil, fmt.Errorf("reading the orders: %s is in the form of a build before 1.0.0; "+
			"remove it, and give these orders again: %s", f, strings.ReplaceAll(old, "\n", "; "))
	}
	all := director.Orders{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "# {") {
			var o status.Order
			if bad := json.Unmarshal([]byte(line[len("# "):]), &o); bad != nil {
				err = fmt.Errorf("reading the orders: %s: %w", f, bad)
				continue
			}
			if o.Boot != run.BootID() {
				o.Ends = 0 // from now on the wall clock decides
			}
			all[o.Backend] = o.Order
		}
		virtual, real, ok := strings.Cut(line, " ")
		at := director.Backend{Virtual: virtual, Real: real}
		if _, told := all[at]; ok && !told && !strings.HasPrefix(line, "#") {
			all[at] = director.Order{Kind: director.Drain}
		}
	}
	return all, err
}

// write replaces the orders in the file.
func (f orderFile) write(all director.Orders) error {
	lines := []string{instance.OrdersFormat + "\n"}
	for at, o := range all {
		text, _ := json.Marshal(status.Order{Backend: at, Order: o}) // of which all can be written
		if lines = append(lines, "# "+string(text)+"\n"); o.TakesOut() {
			lines = append(lines, at.Virtual+" "+at.Real+"\n")
		}
	}
	slices.Sort(lines[1:]) // the comments come first
	err := run.Write(string(f), []byte(strings.Join(lines, "")), 0o600)
	return run.While("recording the orders", err)
}
