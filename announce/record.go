package announce

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ldirectord/instance"
)

// readRecord reads, once, what a daemon before may have left in the kernel: a line for each address, with its devices.
func (a *Announcer) readRecord() error {
	if a.recorded != nil {
		return nil
	}
	text, err := instance.Read(a.files.Announced)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading which addresses were announced: %w", err)
	}
	a.recorded, a.written = map[netip.Addr][]string{}, string(text)
	for line := range strings.Lines(a.written) {
		addr, devices, _ := strings.Cut(strings.TrimSpace(line), " ")
		if addr, err := netip.ParseAddr(addr); err == nil {
			a.recorded[addr] = strings.Fields(devices)
		}
	}
	return nil
}

// writeRecord writes the record if it changed, and removes it when it is empty.
func (a *Announcer) writeRecord() error {
	var text strings.Builder
	for _, addr := range slices.SortedFunc(maps.Keys(a.recorded), netip.Addr.Compare) {
		fmt.Fprintln(&text, addr, strings.Join(a.recorded[addr], " "))
	}
	if text.String() == a.written {
		return nil
	}
	var err error
	if text.Len() > 0 {
		err = instance.Write(a.files.Announced, []byte(text.String()), 0o600)
	} else if err = os.Remove(a.files.Announced); errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("recording which addresses are announced: %w", err)
	}
	a.written = text.String()
	return nil
}

// claim makes an address this daemon's. It returns why it could not: instance.ErrClaimed where another daemon of this machine has it.
func (a *Announcer) claim(addr netip.Addr) error {
	if a.claims[addr] != nil {
		return nil
	}
	f, err := instance.Claim(claimFile(a.files, a.by, addr), fmt.Sprintf("%s (pid %d)", a.by.Path, os.Getpid()))
	if err != nil {
		return err
	}
	a.claims[addr] = f
	return nil
}

// claimFile is the one of an address in a network namespace.
func claimFile(files instance.Files, by instance.Daemon, addr netip.Addr) string {
	return filepath.Join(files.Claims, fmt.Sprintf("%s@%d", addr, by.NetNS))
}

// union has each of both lists once, sorted.
func union(a, b []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b))))
}
