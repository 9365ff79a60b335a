// Command conformance runs scenarios against ldirectord binaries on a kernel with IPVS, and compares what an operator
// relies on: the table at rest, the order of ups and downs, exit statuses, files, mails, calls of hooks, events in the
// log. Times, process ids and the exact wording are not compared.
//
//	conformance [-p N] [-run REGEXP] [-record] [-v] [-shadow PROGRAM] BINARY...
//
// With -shadow the shadow command of PROGRAM runs beside each binary, and must find no difference in a table at rest. A
// binary that is a Perl script is taken for the Perl ldirectord. Only the first binary decides the exit status. The
// command needs root, IPVS, ip, ipvsadm and bash. testdata/conformance/README.md tells how to write a scenario.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"
)

// scenarioLimit bounds one scenario: the slowest takes the Perl ldirectord a minute.
const scenarioLimit = 7 * time.Minute

func main() {
	switch {
	case len(os.Args) == 2 && os.Args[1] == worldArgument:
		os.Exit(initialProcess())
	case len(os.Args) == 2 && os.Args[1] == scenarioArgument:
		os.Exit(scenarioProcess(os.Stdin, os.Stdout))
	}
	parallel := flag.Int("p", 4, "scenarios at a time")
	pattern := flag.String("run", "", "only scenarios whose name matches this `regexp`")
	folder := flag.String("scenarios", "testdata/conformance", "`folder` of the scenarios")
	record := flag.Bool("record", false, "write what the Perl ldirectord does into the scenarios")
	shadow := flag.String("shadow", "", "an ldirectord `program` whose shadow runs beside the binaries")
	verbose := flag.Bool("v", false, "tell each step, and the log where a scenario fails")
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	suite := suite{record: *record, verbose: *verbose, shadow: *shadow}
	if err := suite.load(*folder, *pattern, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(2)
	}
	suite.run(ctx, *parallel)
	suite.print(os.Stdout)
	if suite.failed() {
		os.Exit(1)
	}
}

// suite is every chosen scenario times every binary.
type suite struct {
	record, verbose bool
	shadow          string            // see job
	known           map[string]string // scenarios in which a shadow finds something else
	scenarios       []*scenario
	binaries        []program
	outcomes        map[run]outcome
}

// run is one scenario against one binary.
type run struct {
	scenario *scenario
	binary   program
}

func (s *suite) load(folder, pattern string, paths []string) error {
	chosen, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	for _, path := range paths {
		b, err := newProgram(path)
		if err != nil {
			return err
		}
		if s.record && !b.Reference {
			return fmt.Errorf("only what the Perl ldirectord does is recorded, and %s is not it", path)
		}
		s.binaries = append(s.binaries, b)
	}
	if s.shadow != "" {
		if s.known, err = known(filepath.Join(folder, "shadow")); err != nil {
			return err
		}
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.txt"))
	if err != nil {
		return err
	}
	for _, file := range files {
		sc, err := readScenario(file)
		if err != nil {
			return err
		}
		if chosen.MatchString(sc.name) &&
			(s.shadow == "" || s.known[sc.name] == "" && sc.has("ldirectord") && sc.has("table")) {
			s.scenarios = append(s.scenarios, sc)
		}
	}
	if len(s.scenarios) == 0 {
		return fmt.Errorf("no scenario in %s matches %q", folder, pattern)
	}
	return nil
}

// run tries the scenarios against one binary after the other, and tells each outcome as it comes.
func (s *suite) run(ctx context.Context, parallel int) {
	s.outcomes = map[run]outcome{}
	var mu sync.Mutex
	var all sync.WaitGroup
	free := make(chan struct{}, max(1, parallel))
	for _, b := range s.binaries {
		for _, sc := range s.scenarios {
			free <- struct{}{}
			all.Go(func() {
				defer func() { <-free }()
				o := s.try(ctx, run{sc, b})
				mu.Lock()
				defer mu.Unlock()
				s.outcomes[run{sc, b}] = o
				o.tell(os.Stdout, sc.name, b)
			})
		}
		all.Wait()
	}
}

func (s *suite) try(ctx context.Context, r run) outcome {
	ctx, cancel := context.WithTimeout(ctx, scenarioLimit)
	defer cancel()
	o := inWorld(ctx,
		job{Path: r.scenario.path, Binary: r.binary, Record: s.record, Verbose: s.verbose, Shadow: s.shadow})
	if s.record && o.Failure == "" {
		if err := os.WriteFile(r.scenario.path, []byte(o.Recorded), 0o644); err != nil {
			o.Failure = err.Error()
		}
	}
	return o
}

func (o outcome) tell(w io.Writer, name string, b program) {
	fmt.Fprintf(w, "%s %s %s %.1f s\n", o.word(), b.title(), name, o.Seconds)
	if o.Failure != "" {
		fmt.Fprintf(w, "\t%s\n", o.Failure)
	}
	io.WriteString(w, o.Log)
}

func (o outcome) word() string {
	if o.Failure != "" {
		return "FAIL"
	}
	return "ok"
}

// print writes a row for each scenario and a column for each binary.
func (s *suite) print(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "\nscenario")
	for _, b := range s.binaries {
		fmt.Fprint(table, "\t", b.title())
	}
	fmt.Fprintln(table, "\tdiffers")
	passed := make([]int, len(s.binaries))
	for _, sc := range s.scenarios {
		fmt.Fprint(table, sc.name)
		for i, b := range s.binaries {
			o := s.outcomes[run{sc, b}]
			if o.Failure == "" {
				passed[i]++
			}
			fmt.Fprint(table, "\t", o.word())
		}
		fmt.Fprintln(table, "\t"+sc.differs)
	}
	table.Flush()
	for i, b := range s.binaries {
		fmt.Fprintf(w, "%s: %d passed, %d failed\n", b.title(), passed[i], len(s.scenarios)-passed[i])
	}
}

func (s *suite) failed() bool {
	return slices.ContainsFunc(s.scenarios,
		func(sc *scenario) bool { return s.outcomes[run{sc, s.binaries[0]}].Failure != "" })
}
