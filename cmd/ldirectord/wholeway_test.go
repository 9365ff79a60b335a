package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"ldirectord/checker"
	"ldirectord/checker/icmp"
	"ldirectord/internal/daemon"
	"ldirectord/internal/director"
	"ldirectord/internal/docs"
	"ldirectord/internal/maintenance"
	"ldirectord/internal/page"
	"ldirectord/internal/plan"
	"ldirectord/internal/printable"
	"ldirectord/internal/status"
	"ldirectord/internal/testkit"
	"ldirectord/ipvsctl"
	"ldirectord/parser"
)

// FuzzWholeWay takes a file the whole way: parse, plan, findings, check, then check --json or plan or plan --json, the
// director's first decision on an empty table, and status in all its forms. Nothing may panic, and what people read has
// no control characters. FuzzParse ends at the parser.
func FuzzWholeWay(f *testing.F) {
	g := newGrammar(f)
	for _, file := range g.files {
		f.Add(append([]byte{whole}, file...))
	}
	f.Add([]byte("\xffvirtual=192.0.2.10:514\n\tagentport=8081\n\tchecktype=off\n")) // ended daemons
	for i := range 64 {
		f.Add(bytes.Repeat([]byte{byte(i), byte(i * 37), byte(i * 101), byte(i * 11)}, 12))
	}
	w := newWay(f)
	f.Fuzz(func(t *testing.T, drawn []byte) { w.take(t, g.file(drawn)) })
}

// TestLongFiles takes FILES drawn files through check and plan --json, and through autoreload in daemons that run. No
// process may end by itself, and each daemon has the table of the last good file in the end. The daemons have networks
// of their own without a device, and start no programs but /bin/false.
func TestLongFiles(t *testing.T) {
	total, _ := strconv.Atoi(os.Getenv("FILES"))
	if total == 0 || os.Geteuid() != 0 {
		t.Skip("needs FILES, the number of files, and root, who can make networks")
	}
	g := newGrammar(t)
	for i := range daemons {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			newLiving(t).take(g, rand.NewChaCha8([32]byte{byte(i)}), total/daemons)
		})
	}
}

const daemons = 12 // of TestLongFiles

// living is a daemon with autoreload.
type living struct {
	*runningDaemon
	ended chan error
}

func newLiving(t *testing.T) living {
	l := living{unstarted(t, ""), make(chan error, 1)}
	l.replace("virtual=192.0.2.1:80\n")
	daemon := l.command("start", "--foreground")
	daemon.Stdout, daemon.Stderr = nil, nil
	testkit.OK(t, daemon.Start())
	go func() { l.ended <- daemon.Wait() }()
	t.Cleanup(func() { daemon.Process.Kill(); <-l.ended })
	within(t, "table", func() bool { _, err := os.Stat(l.path("table")); return err == nil })
	l.adopts("192.0.2.2")
	return l
}

func (l living) replace(text string) { l.runningDaemon.replace("autoreload=yes\n" + text) }

func (l living) command(words ...string) *exec.Cmd {
	c := exec.Command(program(l.t), append(l.args, words...)...)
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	return c
}

func (l living) take(g *grammar, random io.Reader, files int) {
	drawn := make([]byte, 64)
	for range files {
		_, _ = io.ReadFull(random, drawn)
		text := harmless(g.file(drawn))
		l.replace(text)
		for _, verb := range []string{"check", "plan"} {
			out, _ := l.command(verb, "--json").CombinedOutput()
			if !json.Valid(out) || bytes.Contains(out, []byte("a fault in ldirectord")) {
				l.t.Fatalf("%s: %s\nof the file\n%s", verb, out, text)
			}
		}
		select {
		case err := <-l.ended:
			l.ended <- err
			l.t.Fatalf("the daemon ended with %v\nby the file\n%s", err, text)
		case <-time.After(400 * time.Millisecond): // it has seen the file
		}
	}
	l.adopts("192.0.2.99")
}

// adopts waits until the table is that of a file with one virtual service.
func (l living) adopts(virtual string) {
	l.replace("virtual=" + virtual + ":80\n\treal=192.0.2.98:80 masq\n\tchecktype=on\n")
	testkit.Until(l.t, awaitLimit, func() bool {
		text, _ := os.ReadFile(l.path("table"))
		return bytes.Contains(text, []byte(virtual+":80 -r 192.0.2.98:80")) &&
			bytes.Count(text, []byte("-A ")) == 1
	}, "the table is not that of the last file:", func() string { return testkit.Read(l.t, l.path("table")) })
}

// harmless is a drawn file without lines that start programs, send mail or write files, and without those that every
// file has.
func harmless(text string) string {
	kept := ""
	for line := range strings.Lines(text) {
		name, _, _ := strings.Cut(line, "=")
		switch strings.TrimSpace(name) {
		case "autoreload", "logfile", "monitorfile", "execute", "emailalert", "callback":
		case "checkcommand", "onchange", "fallbackcommand":
			kept += name + "=/bin/false\n"
		default:
			kept += line
		}
	}
	return kept
}

// way is what all files share on their way.
type way struct {
	dir   string
	env   *daemon.Environment
	fails atomic.Uint32 // every third check fails
}

func newWay(t testing.TB) *way {
	w := &way{dir: t.TempDir(), env: daemon.NewEnvironment(icmp.NewPinger())}
	t.Cleanup(w.env.Close)
	return w
}

// take takes a file the whole way.
func (w *way) take(t *testing.T, text string) {
	path := filepath.Join(w.dir, "fuzz.cf")
	testkit.Write(t, path, text)
	var said bytes.Buffer
	w.command(t, path, "check", &said)
	w.command(t, path, []string{"check --json", "plan", "plan --json"}[len(text)%3], &said)
	l, err := daemon.Load(t.Context(), w.source(path))
	if err == nil && l.Config != nil {
		for _, d := range l.Found.ForLog() {
			said.WriteString(asLine(daemon.Message(d)))
		}
		stopWatching(l.Config)
		p, found := plan.New(l.Config, w.build)
		if p == nil {
			t.Fatalf("the same file has no plan now: %v\n%s", found, text)
		}
		synctest.Test(t, func(t *testing.T) { decide(t, p, &said) })
	}
	if bad := bytes.IndexFunc(said.Bytes(), isControl); bad >= 0 {
		t.Fatalf("what people read holds %q\nin the file\n%s",
			said.Bytes()[max(bad-40, 0):min(bad+8, said.Len())], text)
	}
	if strings.Contains(said.String(), "a fault in ldirectord") {
		t.Fatalf("%s\nthe file is\n%s", said.String(), text)
	}
}

// stopWatching takes the watches out of a configuration: they make real connections, for which a faked clock waits.
func stopWatching(cfg *parser.Config) {
	for i := range cfg.Virtuals {
		v := cfg.Virtuals[i]
		for n := range 1 + len(v.AlsoChecks) {
			v.Check(n).Watch.On = false
		}
	}
}

func isControl(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsPrint(r) }

func (w *way) source(path string) daemon.Source {
	return daemon.Source{Path: path, Alone: true, Wait: true, Checks: w.env, Dirs: configDirs}
}

// command runs a command of the command line in this process.
func (w *way) command(t *testing.T, path, verb string, out io.Writer) {
	c := &call{ctx: t.Context(), options: options{dirs: configDirs, path: path, RunDir: w.dir, IPVS: "memory"},
		env: w.env}
	raw := bufio.NewWriter(out)
	c.output = output{out: printable.Writer{To: raw}, raw: raw, stdout: out, stderr: out}
	c.NoLookup, c.All = true, true
	name, form, _ := strings.Cut(verb, " ")
	if c.verb, c.command = name, commands[name]; form != "" {
		c.JSON, c.answer, c.raw = true, map[string]any{"error": nil}, bufio.NewWriter(io.Discard)
	}
	err := c.command.run(c)
	if c.answer != nil {
		c.conclude(err)
	}
	c.out.Flush()
	if status := c.complain(err); status != exitOK && status != exitConfig {
		t.Fatalf("%s ends with %d: %v", verb, status, err)
	}
}

// build makes the checker of a check, so that its settings are read, and another in its place.
func (w *way) build(spec checker.Spec) (checker.Checker, error) {
	_, err := w.env.Builder()(spec)
	return w, err
}

// Check implements checker.Checker.
func (w *way) Check(context.Context) checker.Result {
	if w.fails.Add(1)%3 == 0 {
		return checker.Result{Cause: checker.Answer, Detail: "not as expected"}
	}
	return checker.Result{OK: true}
}

// decide lets a director have the plan until each server was checked, and shows what it made of it.
func decide(t *testing.T, p *plan.Plan, out io.Writer) {
	access, err := ipvsctl.Open("memory")
	if err == nil {
		err = access.Connect(t.Context())
	}
	testkit.OK(t, err)
	d := director.New(director.Deps{Table: access, Maintenance: noFiles})
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx, p) }()
	time.Sleep(time.Second)
	s := testkit.Must(d.Snapshot(ctx))(t)
	r := status.NewReport(s, status.Process{})
	_ = r.WriteText(out)
	_ = status.WriteMetrics(out, s, status.Process{})
	_ = status.NewWhy(s, s.Time).WriteText(out, true)
	pages := &page.Pages{
		Report: func(context.Context) (*status.Report, error) { return r, nil },
		Host:   func() string { return "" },
	}
	shown := httptest.NewRecorder()
	if pages.Page(shown, httptest.NewRequest("GET", "http://127.0.0.1/", nil)); shown.Code != http.StatusOK {
		t.Fatalf("the page is %d: %s", shown.Code, shown.Body)
	}
	end()
	<-ended
}

// noFiles is an empty maintenancedir.
func noFiles(context.Context, string, []maintenance.Server) <-chan maintenance.Reading {
	read := make(chan maintenance.Reading, 1)
	read <- maintenance.Reading{}
	return read
}

// whole is the first byte of what is a file as it is.
const whole = 0xff

// odd are values that few directives take.
var odd = []string{
	"", "0", "1", "-1", "65536", "4294967296", "9999999999999999999", "yes", "no", "off", "on", "none",
	`"`, `""`, `"a`, "'", "a,b", ",", "=", "#", "[", "(((", "a{1,2000}", "\x1b[2J", "\xff", "大",
	"127.0.0.1", "::1", "127.0.0.1:80 masq", "[::1]:80 gate 1", `127.0.0.1->127.0.0.9:80 gate 5 "a", "b" l:1 u:2`,
	"1s", "1m", "50%", "1/3", "0/0", "/nosuch/file", "simpletcp", "external", strings.Repeat("x", 300),
}

var headers = []string{
	"virtual=192.0.2.10:80", "virtual=192.0.2.11:514", "virtual=7", "virtual6=[2001:db8::1]:80",
	"virtual=192.0.2.10:0", "virtual=192.0.2.12:443",
	"defaults=web", "defaults=patient",
}

// grammar draws files: each directive with values of its own, of others, and with strange ones.
type grammar struct {
	files  []string
	values map[string][]string // of each directive, as the files of testdata and examples have them
	odd    []string

	chapters []string // of the documentation
}

func newGrammar(t testing.TB) *grammar {
	g := &grammar{values: map[string][]string{"supervised": {"yes"}}, odd: odd}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".cf") {
			return err
		}
		text, err := os.ReadFile(path)
		if len(text) < 4096 {
			g.files = append(g.files, string(text))
		}
		for line := range strings.Lines(string(text)) {
			name, value, ok := strings.Cut(line, "=")
			name = strings.ToLower(strings.TrimSpace(name))
			if value = strings.TrimSpace(value); ok && !strings.Contains(name, "#") {
				g.values[name] = append(g.values[name], value)
			}
		}
		return err
	})
	testkit.OK(t, err)
	for _, d := range docs.Directives() {
		if d.Section() && !slices.Contains(g.chapters, d.Chapter) {
			g.chapters = append(g.chapters, d.Chapter)
		}
		if len(g.values[d.Name]) == 0 {
			t.Errorf("no file below testdata or examples has a line of %s: add one", d.Name)
		}
	}
	return g
}

// draw is a source of choices; after its end every choice is the first.
type draw []byte

func (d *draw) one() int {
	if len(*d) == 0 {
		return 0
	}
	b := (*d)[0]
	*d = (*d)[1:]
	return int(b)
}

func (d *draw) of(n int) int { return (d.one()<<8 | d.one()) % n }

// file draws a file: up to three global directives, then up to three sections, each with up to three servers and seven
// directives, of which half are of one chapter: what belongs together meets.
func (g *grammar) file(drawn []byte) string {
	if len(drawn) > 0 && drawn[0] == whole {
		return string(drawn[1:])
	}
	d := draw(drawn)
	var b strings.Builder
	for range d.one() % 4 {
		fmt.Fprintf(&b, "%s\n", g.line(&d, "", (*parser.Directive).Global))
	}
	for range d.one()%3 + 1 {
		header, chapter := headers[d.one()%len(headers)], g.chapters[d.one()%len(g.chapters)]
		fmt.Fprintln(&b, header)
		for range d.one() % 4 {
			real := "real"
			if strings.HasPrefix(header, "virtual6") {
				real = "real6"
			}
			fmt.Fprintf(&b, "\t%s=%s\n", real, g.values[real][d.of(len(g.values[real]))])
		}
		for range d.one() % 8 {
			fmt.Fprintf(&b, "\t%s\n", g.line(&d, chapter, (*parser.Directive).Section))
		}
	}
	text := []byte(b.String())
	if d.one() == 1 { // a typing error
		text[d.of(len(text))] = byte(d.one())
	}
	return string(text)
}

// line draws a directive that may be there, every second one of the chapter, or in one of sixteen any one, with a
// value.
func (g *grammar) line(d *draw, chapter string, here func(*parser.Directive) bool) string {
	var all []string
	which := d.one() % 16
	for _, one := range docs.Directives() {
		if which == 1 || here(&one.Directive) && (which%2 == 0 || chapter == "" || one.Chapter == chapter) {
			all = append(all, one.Name)
		}
	}
	name := all[d.of(len(all))]
	values := g.values[name]
	switch d.one() % 8 {
	case 1:
		values = g.odd
	case 2:
		values = g.values[all[d.of(len(all))]]
	}
	return name + "=" + values[d.of(len(values))]
}

// TestPairsOfDirectives takes each pair of directives of a section the whole way, each with values of its own and a
// strange one, in sections that share files: first all of them, then those that are not refused. With -short it takes
// an eighth of them.
func TestPairsOfDirectives(t *testing.T) {
	g, w := newGrammar(t), newWay(t)
	var lines []string
	for i, d := range docs.Directives() {
		if !d.Section() || strings.HasPrefix(d.Name, "virtual") {
			continue
		}
		own := slices.Compact(slices.Sorted(slices.Values(g.values[d.Name])))
		most := 2
		if d.Name == "checktype" || d.Name == "service" {
			most = len(own)
		}
		for n := range min(most, len(own)) {
			lines = append(lines, "\t"+d.Name+"="+own[(n+i)%len(own)]+"\n")
		}
		lines = append(lines, "\t"+d.Name+"="+odd[i%len(odd)]+"\n")
	}
	var sections []string
	take := func() {
		for len(sections) > 0 {
			text := strings.Join(sections, "")
			w.take(t, text)
			_, found := parser.Parse(t.Context(), "", []byte(text), parser.Options{Alone: true})
			if !found.HasErrors() {
				break
			}
			refused, line := map[int]bool{}, 1
			for _, e := range found.Errors() {
				refused[int(e.At().Line)] = true
			}
			sections = slices.DeleteFunc(sections, func(section string) (out bool) {
				for range strings.Count(section, "\n") {
					out = out || refused[line]
					line++
				}
				return out
			})
		}
		sections = nil
	}
	number := 0
	for i, one := range lines {
		for k, two := range lines[:i] {
			if testing.Short() && (i+k)%8 != 0 {
				continue
			}
			header := fmt.Sprintf("virtual=10.%d.%d.1:80\n", number>>8, number&0xff)
			if number%4 == 3 {
				header = fmt.Sprintf("virtual=%d\n", number)
			}
			number++
			sections = append(sections, header+
				"\treal=192.0.2.98:80 masq\n\treal=192.0.2.99:80 gate 2 \"a\", \"b\"\n"+two+one)
			if len(sections) == 200 {
				take()
			}
		}
	}
	take()
}
