package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"ldirectord/director"
	"ldirectord/instance"
)

// Drained are the servers that a daemon is to drain, as the file of its orders has them.
func Drained(i instance.Instance) (map[director.Backend]bool, error) {
	return drainFile(i.Files().Drain).read()
}

// drainFile is the path of the file with the drained servers: after the format a line for each, virtual service and
// real server. It outlives the daemon, not a boot.
type drainFile string

// read returns the servers; none when there is no file.
func (f drainFile) read() (map[director.Backend]bool, error) {
	text, err := instance.Read(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the orders to drain: %w", err)
	}
	servers := map[director.Backend]bool{}
	for line := range strings.Lines(string(text)) {
		virtual, real, ok := strings.Cut(strings.TrimSpace(line), " ")
		if ok && !strings.HasPrefix(line, "#") {
			servers[director.Backend{Virtual: virtual, Real: real}] = true
		}
	}
	return servers, nil
}

// write replaces the servers in the file.
func (f drainFile) write(servers map[director.Backend]bool) error {
	lines := []string{instance.OrdersFormat + "\n"}
	for p := range servers {
		lines = append(lines, p.Virtual+" "+p.Real+"\n")
	}
	slices.Sort(lines[1:])
	if err := instance.Write(string(f), []byte(strings.Join(lines, "")), 0o600); err != nil {
		return fmt.Errorf("recording the orders to drain: %w", err)
	}
	return nil
}
