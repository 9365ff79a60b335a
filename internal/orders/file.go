package orders

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/runfile"
)

// Entry is an order, and what it is for.
type Entry struct {
	lvs.Backend
	Lost   bool   `json:"lost,omitempty"`   // its server, virtual service or address is not configured
	Server string `json:"server,omitempty"` // the name of the server, if the order uses its other name
	Order
}

// File is the path of the file with the orders. The file outlives the daemon, but not a reboot. The first line names
// the format, and each order follows as JSON in a comment. In the comment of a waiting order, a word comes before the
// JSON, so that earlier versions, which do not know From, do not begin the order. Last comes a line for each server
// that is taken out, with the virtual service and the real server: if the comment is damaged, or contains an order that
// only a later version knows, the server stays drained.
type File string

const later = "later " // before an order that waits

// Read returns the orders. Without a file, there are none. If an order can't be read, Read returns an error together
// with the other orders, and a server that this order took out stays drained.
func (f File) Read() (All, error) {
	text, err := runfile.Read(string(f))
	if err != nil {
		return nil, fmt.Errorf("reading the orders: %w", err)
	}
	if other := string(text); other != "" && !strings.HasPrefix(other, runfile.Format+"\n") {
		return nil, fmt.Errorf("reading the orders: %s is not in this version's format; "+
			"remove it, and give these orders again: %s", f, strings.ReplaceAll(other, "\n", "; "))
	}
	all := All{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		text, isOrder := strings.CutPrefix(line, "# ")
		if text = strings.TrimPrefix(text, later); isOrder && strings.HasPrefix(text, "{") {
			var o Entry
			if bad := json.Unmarshal([]byte(text), &o); bad != nil {
				err = fmt.Errorf("reading the orders: %s: %w", f, bad)
				continue
			}
			if o.Boot != runfile.BootID() {
				o.Ends = 0 // now the wall clock decides
			}
			all[o.Backend] = o.Order
		}
		virtual, real, ok := strings.Cut(line, " ")
		at := lvs.At(virtual, real)
		if o := all[at]; ok && !o.TakesOut() && !strings.HasPrefix(line, "#") {
			o.Kind = Drain
			all[at] = o
		}
	}
	return all, err
}

// Write replaces the orders in the file.
func (f File) Write(all All) error {
	lines := []string{runfile.Format + "\n"}
	for at, o := range all {
		text, _ := json.Marshal(Entry{Backend: at, Order: o}) // every order can be written
		if o.Waits() {
			lines = append(lines, "# "+later+string(text)+"\n")
			continue
		}
		if lines = append(lines, "# "+string(text)+"\n"); o.TakesOut() {
			lines = append(lines, at.Virtual+" "+at.Real+"\n")
		}
	}
	slices.Sort(lines[1:]) // the comments come first
	err := runfile.Write(string(f), []byte(strings.Join(lines, "")), 0o600)
	return runfile.While("recording the orders", err)
}

// Current returns the orders that have not ended. It ignores a file that belongs to another user.
func (f File) Current() (All, error) {
	all, err := f.Read()
	if errors.Is(err, runfile.ErrForeign) {
		return All{}, nil
	}
	return all.At(time.Now()), err
}
