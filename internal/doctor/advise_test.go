package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"ldirectord/internal/runfile"
	"ldirectord/internal/testkit"
	"ldirectord/ipvsctl"
	"ldirectord/parser"
)

// Whether the kernel has IPVS is found in the list of its modules, or, without such a list, by asking the kernel. A
// module that can be loaded is not missing, and is not loaded by the question.
func TestAKernelWithoutIPVSIsKnown(t *testing.T) {
	loaded := t.TempDir()
	testkit.OK(t, os.Mkdir(filepath.Join(loaded, "ip_vs"), 0o700))
	gone := fmt.Errorf("open: %w", syscall.ENOENT)
	for name, c := range map[string]struct {
		kernel kernelModules
		err    error
		asked  bool
		want   Finding
	}{
		"loaded": {kernel: kernelModules{loaded: loaded}},
		"to be loaded": {kernel: kernelModules{loaded: "/nowhere",
			listed: "kernel/net/netfilter/ipvs/ip_vs.ko:\n"}},
		"not in the list": {kernel: kernelModules{loaded: "/nowhere",
			listed: "kernel/net/netfilter/xt_mark.ko:\n"},
			want: finding("no-ipvs", "it has no module ip_vs; install the package that contains it", "")},
		"no list, it is":     {kernel: kernelModules{loaded: "/nowhere"}, asked: true},
		"no list, forbidden": {kernel: kernelModules{loaded: "/nowhere"}, err: syscall.EPERM, asked: true},
		"no list, it is not": {kernel: kernelModules{loaded: "/nowhere"}, err: gone, asked: true, want: finding(
			"no-ipvs", "the module ip_vs is not loaded; for a container it must be loaded on the host",
			"modprobe ip_vs",
		)},
	} {
		table := asking{Client: ipvsctl.NewMemory(nil), err: c.err}
		got := withoutIPVS(t.Context(), c.kernel, &table)
		if !reflect.DeepEqual(got, c.want) || table.asked != c.asked {
			t.Errorf("%s: %+v, asked %v", name, got, table.asked)
		}
	}
}

// asking is a table that can be opened, or fails with err.
type asking struct {
	ipvsctl.Client
	err   error
	asked bool
}

func (a *asking) Connect(context.Context) error {
	a.asked = true
	return a.err
}

func TestCheckSaysThatTheKernelHasNoIPVS(t *testing.T) {
	e := newExamination(nil, facts{noIPVS: finding("no-ipvs", "why", "do")}, "")
	e.kernel(t.Context())
	testkit.Equal(t, said(&e.findings),
		": warning: the kernel has no IPVS, so no virtual service can be set up: why; to fix it: do\n")
}

// Each virtual address that is not on this machine is reported at its first section. Addresses of mark lines
// are reported at those lines.
func TestCheckReportsVirtualAddressesThatAreNotHere(t *testing.T) {
	services := servicesOf(t, "virtual=192.0.2.10:80\n\treal=192.0.2.21:80 gate\nvirtual=192.0.2.11:80\n"+
		"\treal=192.0.2.21:80 gate\n"+
		"virtual=192.0.2.11:81\n\treal=192.0.2.21:81 gate\nvirtual=192.0.2.12:80\n\treal=192.0.2.21:81 gate\n"+
		"\tannounce=lvs0\nvirtual6=[2001:db8::1]:80\n\treal6=[2001:db8::21]:80 gate\nvirtual=3\n"+
		"\treal=192.0.2.21:80 gate\n")
	for have, want := range map[string]string{
		"192.0.2.10 192.0.2.11 2001:db8::1": "",
		"192.0.2.10 2001:db8::1": "ld.cf:3:9: warning: no interface here has 192.0.2.11, so " +
			"clients cannot reach it\n",
		"192.0.2.10": "ld.cf:3:9: warning: no interface here has 192.0.2.11, so clients cannot reach it\n" +
			"ld.cf:10:10: warning: no interface here has 2001:db8::1, so clients cannot reach it\n",
		"": "ld.cf:1:9: warning: no interface here has 192.0.2.10, so clients cannot reach it\n" +
			"ld.cf:3:9: warning: no interface here has 192.0.2.11, so clients cannot reach it\n" +
			"ld.cf:10:10: warning: no interface here has 2001:db8::1, so clients cannot reach it\n",
	} {
		f := facts{routes: map[routeQuery]route{}}
		for _, q := range routeQueries(services) {
			f.routes[q] = route{local: slices.Contains(strings.Fields(have), q.to.String())}
		}
		e := newExamination(services, f, "")
		e.addressesAway()
		testkit.Equal(t, said(&e.findings), want, "with", have)
	}
}

// Packets to a loopback address end on this machine, packets to an address for documentation do not.
func TestTheKernelSaysWherePacketsEnd(t *testing.T) {
	devices, err := devicesHere()
	if err != nil {
		t.Skip(err)
	}
	for addr, want := range map[string]bool{"127.0.0.9": true, "203.0.113.9": false} {
		if got, err := askRoute(routeQuery{to: addrOf(addr)}, devices); err != nil || got.local != want {
			t.Errorf("%s: %+v, %v", addr, got, err)
		}
	}
}

// Without a shell every command that can never run is found. With a shell, missing programs may still be installed.
func TestWhatNeedsAShellIsFound(t *testing.T) {
	dir := t.TempDir()
	script, good, binary := filepath.Join(dir, "script"), filepath.Join(dir, "good"), filepath.Join(dir, "binary")
	testkit.OK(t, errors.Join(os.WriteFile(script, []byte("#! /no/perl -w\n"), 0o700),
		os.WriteFile(good, []byte("#!"+binary+"\n"), 0o700),
		os.WriteFile(binary, []byte("\x7fELF"), 0o700)))
	in := strings.NewReplacer("{script}", script, "{good}", good, "{binary}", binary)
	for _, row := range testkit.Table(t, "testdata/shell.txt", 3) {
		src := in.Replace(fileOf(row[0]))
		cfg := mustParse(t, src)
		if found := judgePrograms(cfg, "/bin/sh", false); len(found) > 0 {
			t.Errorf("with a shell: %v", found)
		}
		var got []string
		for _, d := range judgePrograms(cfg, "/no/sh", row[1] != "") {
			got = append(got, strings.TrimPrefix(d.String(), "ld.cf:"))
		}
		testkit.Equal(t, strings.Join(got, "; "), in.Replace(row[2]), src)
	}
}

// A program whose file server is gone holds nothing up, and is not called missing.
func TestAProgramThatCannotBeLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, back := t.TempDir(), make(chan error)
		_ = runfile.Try(dir, func() error { return <-back })
		testkit.Equal(t, lacking(filepath.Join(dir, "program")), "")
		close(back)
	})
}

// Users who may write to a file of the daemon, to its program, or to a folder above them can have root run any
// command.
func TestFilesThatOthersMayChangeAreReported(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "folder")
	file, part, program := filepath.Join(folder, "ld.cf"), filepath.Join(folder, "part.cf"),
		filepath.Join(folder, "check")
	link := filepath.Join(dir, "link")
	testkit.OK(t, errors.Join(os.Mkdir(folder, 0o700), os.WriteFile(file, nil, 0o600),
		os.WriteFile(part, nil, 0o600), os.WriteFile(program, nil, 0o700), os.Symlink(file, link)))
	cfg := mustParse(t, "virtual=192.0.2.10:80\n\treal=192.0.2.21:80 gate\n\tchecktype=external\n"+
		"\tcheckcommand=\""+program+"\"\n\tonchange="+program+" a b\n")
	cfg.Name, cfg.Parts = link, []string{part}
	const this, named = ", so others could change this file, and with it what the daemon does",
		", so others could change the checkcommand"
	for name, c := range map[string]struct {
		path string
		mode os.FileMode
		want string
	}{
		"nothing": {file, 0o640, ""},
		"the file": {file, 0o666,
			": warning: " + file + " has mode 0666" + this + "; to fix it: chmod go-w " + file + "\n"},
		"the folder": {folder, 0o777,
			": warning: " + folder + " has mode 0777" + this + "; to fix it: chmod go-w " + folder +
				"\n"},
		"a folder for files of anyone": {folder, 0o777 | os.ModeSticky, ""},
		"a part": {part, 0o606, part + ": warning: " + part +
			" has mode 0606, so others could change this part, and with it what the daemon does; " +
			"to fix it: chmod go-w " + part + "\n"},
		"a program": {program, 0o757,
			"ld.cf:4:15: warning: " + program + " has mode 0757" + named + "; to fix it: chmod go-w " +
				program + "\n"},
	} {
		before := testkit.Must(os.Stat(c.path))(t)
		testkit.OK(t, os.Chmod(c.path, c.mode))
		f := &findings{}
		f.trust(cfg)
		testkit.Equal(t, strings.TrimPrefix(said(f), ":"), strings.TrimPrefix(c.want, ":"), name)
		testkit.OK(t, os.Chmod(c.path, before.Mode().Perm()))
	}
	t.Chdir(dir)
	testkit.OK(t, os.Chmod(dir, 0o777))
	if got, _ := changeable(programOf("/no/such/program")); got != "" {
		t.Errorf("of no program: %q", got)
	}
	testkit.OK(t, os.Chmod(dir, 0o700))
	if os.Geteuid() != 0 {
		return
	}
	testkit.OK(t, os.Chown(file, 65534, 65534))
	f := &findings{}
	f.trust(cfg)
	testkit.Contains(t, said(f), file+" belongs to ", "a file of another user")
}

func said(f *findings) string {
	var text strings.Builder
	for _, d := range f.diagnostics("") {
		text.WriteString(d.String() + "\n")
	}
	return text.String()
}

// For servers that are only checked at their own address, a note recommends checkvip, once for the file. It is no
// warning.
func TestCheckRecommendsCheckVIPOnce(t *testing.T) {
	for file, notes := range map[string]int{
		"connect + connect 10:80->11:80": 1, "gate": 0, "connect gate->masq": 0,
		"connect + connect 10:80->11:80; checkvip = no": 0, "through + connect 10:80->11:80": 0,
	} {
		e := newExamination(servicesOf(t, fileOf(file)), facts{}, "ld.cf")
		e.unseen()
		recommends(t, &e.findings, notes, "ld.cf:1:11: note: ", "checkvip = yes")
	}
}

// recommends checks that there is this number of notes, with these words, and nothing else.
func recommends(t *testing.T, f *findings, notes int, begin, part string) {
	t.Helper()
	found := f.diagnostics("ld.cf")
	testkit.Equal(t, len(found), notes, "notes", found)
	for _, d := range found {
		testkit.Equal(t, strings.HasPrefix(d.String(), begin), true, d, "begins with", begin)
		testkit.Contains(t, d.Text, part)
	}
}

// For a big table without a setting of its metrics, a note recommends small metrics, once for the file. It is no
// warning.
func TestCheckRecommendsSmallMetricsForABigTable(t *testing.T) {
	big := func(globals string, servers int) *parser.Config {
		text := globals + "virtual = 192.0.2.10:80\n" +
			strings.Repeat("  real = 10.0.0.1->10.0.3.231:80 masq\n", 2) +
			fmt.Sprintf("virtual = 192.0.2.11:80\n  real = 10.0.0.1->10.0.0.%d:80 masq\n", servers-2*999)
		return mustParse(t, text)
	}
	const listen = "listen = 127.0.0.1:9130\n"
	for _, c := range []struct {
		cfg  *parser.Config
		want int // notes
	}{
		{big(listen, 2000), 1},
		{big(listen, 1999), 0},
		{big("", 2000), 0},
		{big(listen+"metrics = full\n", 2000), 0},
		{big(listen+"metrics = small\n", 2000), 0},
	} {
		f := &findings{}
		f.metrics(c.cfg)
		recommends(t, f, c.want, "ld.cf:1:10: note: a scrape of 2000 servers", "metrics = small")
	}
}

// Watched connections and checks need a descriptor each. Sections that check the same address share a watched
// connection.
func TestDescriptorsAreCounted(t *testing.T) {
	const limit = 2500 // 250 connections, and 250 checks in each section
	section := func(vip, last int) string {
		return fmt.Sprintf("virtual = 192.0.2.%d:80\n  real = 198.51.100.1->198.51.100.%d:80 masq\n"+
			"  checktype = connect\n", vip, last)
	}
	said := func(src string) string {
		f := &findings{}
		f.descriptors(mustParse(t, src), limit)
		if len(f.list) == 0 {
			return ""
		}
		return fmt.Sprint(f.list[0].at.Line, " ", f.list[0].Text)
	}
	var many strings.Builder
	const sections = 9
	for i := range sections {
		many.WriteString(section(i+1, 250))
	}
	few := "watch = yes\n" + many.String()
	testkit.Equal(t, said(few), "", sections, "sections")
	two := section(200, 250) + section(201, 250)
	want := fmt.Sprintf("1 250 watched connections and %d checks", 250*(sections+2))
	if got := said(few + two); !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	want = strings.Replace(want, "1 250", "0 0", 1)
	if got := said(many.String() + two); !strings.HasPrefix(got, want) {
		t.Errorf("without watch %q, want %q", got, want)
	}
	for _, kind := range []string{"ping", "on", "off"} {
		testkit.Equal(t, said(strings.ReplaceAll(many.String()+two, "connect", kind)), "", kind)
	}
}
