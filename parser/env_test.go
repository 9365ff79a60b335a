package parser

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

const testdata = "../testdata/parser"

// table is a Resolver of fixed names.
type table struct {
	hosts map[string][]netip.Addr
	ports map[string][]servicePort
}

type servicePort struct {
	port     uint16
	protocol string
}

func (t table) Host(_ context.Context, name string, ipv6 bool) ([]netip.Addr, error) {
	var found []netip.Addr
	for _, a := range t.hosts[name] {
		if a.Is6() == ipv6 {
			found = append(found, a)
		}
	}
	if found == nil {
		return nil, errors.New("no such host")
	}
	return found, nil
}

func (t table) Port(_ context.Context, service, protocol string) (uint16, error) {
	for _, p := range t.ports[service] {
		if protocol == "" || p.protocol == protocol {
			return p.port, nil
		}
	}
	return 0, errors.New("no such service")
}

// readTable reads the hosts and services of the tests.
func readTable(t testing.TB) table {
	t.Helper()
	names := table{hosts: map[string][]netip.Addr{}, ports: map[string][]servicePort{}}
	for _, f := range fields(t, "hosts") {
		for _, name := range f[1:] {
			names.hosts[name] = append(names.hosts[name], netip.MustParseAddr(f[0]))
		}
	}
	for _, f := range fields(t, "services") {
		number, protocol, _ := strings.Cut(f[1], "/")
		port := testkit.Must(strconv.ParseUint(number, 10, 16))(t)
		for _, name := range append(f[2:], f[0]) {
			names.ports[name] = append(names.ports[name], servicePort{uint16(port), protocol})
		}
	}
	return names
}

func fields(t testing.TB, file string) (lines [][]string) {
	t.Helper()
	text := testkit.Read(t, filepath.Join(testdata, file))
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 1 && f[0][0] != '#' {
			lines = append(lines, f)
		}
	}
	return lines
}

// options are the conditions under which the corpus was recorded.
func options(t testing.TB) Options {
	try := func(path string) error {
		if strings.Contains(path, "no-such-folder") {
			return os.ErrNotExist
		}
		return nil
	}
	return Options{
		Resolver: readTable(t),
		HostName: "director1",
		TryFile:  try,
		TryRead:  try,
		DirExist: func(path string) bool { return path == "." },
	}
}

// parseText parses a text without options.
func parseText(t *testing.T, text string) (*Config, Diagnostics) {
	t.Helper()
	return parseWith(t, text, Options{})
}

func parseWith(t *testing.T, text string, o Options) (*Config, Diagnostics) {
	t.Helper()
	return parse(t.Context(), "ld.cf", []byte(text), o)
}

// parse is Parse, but returns no configuration if there are errors.
func parse(ctx context.Context, name string, src []byte, o Options) (*Config, Diagnostics) {
	cfg, found := Parse(ctx, name, src, o)
	if found.HasErrors() {
		return nil, found
	}
	return cfg, found
}
