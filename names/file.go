package daemon

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"ldirectord/parser"
	"ldirectord/run"
)

// nameFile keeps the last address of each host name of a configuration, and after it those that it had before and that
// may be in service yet. It outlives the daemon, not a boot.
type nameFile string

const (
	nameFormat = 2
	maxNames   = 1 << 16 // that are kept
)

// keptNames is what the file holds.
type keptNames struct {
	Format int
	Names  map[string][]netip.Addr // of both families
}

func (f nameFile) read() (addrs map[string][]netip.Addr, err error) {
	text, err := run.Read(string(f))
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
	return kept.Names, nil
}

// write keeps these names and no others.
func (f nameFile) write(names []parser.Name) error {
	kept, left := keptNames{nameFormat, map[string][]netip.Addr{}}, maxNames
	for _, n := range names {
		for _, a := range append([]netip.Addr{n.Addr}, n.Earlier...) {
			if a.IsValid() && left > 0 {
				kept.Names[n.Host] = append(kept.Names[n.Host], a)
				left--
			}
		}
	}
	if len(kept.Names) == 0 {
		return run.Remove(string(f))
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	return run.Write(string(f), append(text, '\n'), 0o644)
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
