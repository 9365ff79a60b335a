package resolve

import (
	"encoding/json"
	"net/netip"
	"sync"

	"ldirectord/internal/runfile"
)

// File is the path of a file that contains the last address of each host name of a configuration, followed by its
// earlier addresses that may still be in service. The file survives the daemon, but not a reboot.
type File string

const (
	nameFormat = 2
	maxNames   = 1 << 16 // addresses that are kept
)

// keptNames is the content of the file.
type keptNames struct {
	Format int
	Names  map[string][]netip.Addr // of both families
}

// read returns the names in the file, or none if it can't be read.
func (f File) read() map[string][]netip.Addr {
	var kept keptNames
	text, err := runfile.Read(string(f))
	if err != nil || json.Unmarshal(text, &kept) != nil || kept.Format != nameFormat {
		return nil
	}
	return kept.Names
}

// Write replaces the names in the file. If none has an address, it removes the file.
func (f File) Write(list []Name) error {
	kept, left := keptNames{nameFormat, map[string][]netip.Addr{}}, maxNames
	for _, n := range list {
		for _, a := range n.addrs() {
			if a.IsValid() && left > 0 {
				kept.Names[n.Host] = append(kept.Names[n.Host], a)
				left--
			}
		}
	}
	if len(kept.Names) == 0 {
		return runfile.Remove(string(f))
	}
	text, _ := json.Marshal(kept) // every address has a text
	return runfile.Write(string(f), append(text, '\n'), 0o644)
}

// Last returns a function that finds the addresses of a name, of both families, in the file. The file is read when the
// function is first called.
func (f File) Last() Last {
	read := sync.OnceValue(f.read)
	return func(key Key) []netip.Addr { return read()[key.Host] }
}
