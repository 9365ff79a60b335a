package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"sync"

	"ldirectord/instance"
	"ldirectord/parser"
)

// nameFile keeps the last address of each host name of a configuration, and after it those that it had before and that
// may be in service yet. It outlives the daemon, not a boot.
type nameFile string

const (
	nameFormat = 1
	maxNames   = 1 << 16 // that are kept
)

// keptNames is what the file holds.
type keptNames struct {
	Format int
	Names  []keptName
}

// keptName is a host name with its address of one family.
type keptName struct {
	Host string
	Addr netip.Addr
}

func (f nameFile) read() (addrs map[string][]netip.Addr, err error) {
	text, err := instance.Read(string(f))
	if err != nil {
		return nil, err
	}
	var kept keptNames
	if err := json.Unmarshal(text, &kept); err != nil {
		return nil, fmt.Errorf("reading %s: %w", f, err)
	}
	if kept.Format != nameFormat {
		return nil, fmt.Errorf("reading %s: the format is %d, want %d", f, kept.Format, nameFormat)
	}
	addrs = map[string][]netip.Addr{}
	for _, n := range kept.Names {
		addrs[n.Host] = append(addrs[n.Host], n.Addr)
	}
	return addrs, nil
}

// write keeps these names and no others.
func (f nameFile) write(names []parser.Name) error {
	kept := keptNames{Format: nameFormat}
	for _, n := range names {
		for _, a := range append([]netip.Addr{n.Addr}, n.Earlier...) {
			if a.IsValid() && len(kept.Names) < maxNames {
				kept.Names = append(kept.Names, keptName{n.Host, a})
			}
		}
	}
	if len(kept.Names) == 0 {
		if err := os.Remove(string(f)); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	return instance.Write(string(f), append(text, '\n'), 0o644)
}

// last returns the addresses in the file, which is read when the first one is asked for. A file that can't be read
// has none.
func (f nameFile) last() parser.Last {
	read := sync.OnceValue(func() map[string][]netip.Addr {
		addrs, _ := f.read()
		return addrs
	})
	return func(host string, ipv6 bool) []netip.Addr {
		return slices.DeleteFunc(slices.Clone(read()[host]), func(a netip.Addr) bool { return a.Is6() != ipv6 })
	}
}
