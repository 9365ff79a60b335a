package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

const daemonLog = "/var/log/ldirectord.log"

// play takes the steps of one scenario, inside its world.
type play struct {
	job
	env        []string
	servers    map[string]*server
	background map[string]*exec.Cmd
	marks      map[string]int64 // by file: what came before is forgotten
	said       string           // by the last command
	table      tableReader
	seen       map[int][]string // recording: what each step saw
	trace      io.Writer
	shadow     *shadowing // nil until the daemon was started
}

// observation is what a step compares.
type observation struct {
	look   func() ([]string, error)
	usual  []string      // expected where the scenario says nothing
	limit  time.Duration // until it must look as expected
	hold   time.Duration // how long it must then stay so
	rounds int           // recording: rounds of checks before it is taken for settled
}

func scenarioProcess(in io.Reader, out io.Writer) int {
	var j job
	if err := json.NewDecoder(in).Decode(&j); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var o outcome
	var trace strings.Builder
	p := &play{job: j, servers: map[string]*server{}, background: map[string]*exec.Cmd{}, marks: map[string]int64{},
		seen: map[int][]string{}, trace: io.Discard}
	if j.Verbose {
		p.trace = &trace
	}
	sc, err := readScenario(j.Path)
	if err == nil {
		err = p.perform(sc)
	}
	if err != nil {
		o.Failure = err.Error()
	} else if j.Record {
		o.Recorded = sc.recorded(p.seen)
	}
	if j.Verbose && err != nil {
		log, _ := os.ReadFile(daemonLog) // there may be none
		fmt.Fprintf(&trace, "%s%s", log, p.said)
	}
	for _, line := range splitLines(trace.String()) {
		o.Log += "\t" + line + "\n"
	}
	if err := json.NewEncoder(out).Encode(o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func (p *play) perform(sc *scenario) error {
	if err := os.Symlink(p.Binary.Path, scratch+"/bin/ldirectord"); err != nil {
		return err
	}
	p.env = []string{"PATH=" + scratch + "/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root", "LANG=C.UTF-8", "PERLIO=perlio", "W=" + scratch}
	if p.Record {
		if err := p.notePauses(); err != nil {
			return err
		}
	}
	start := time.Now()
	for _, s := range sc.steps {
		fmt.Fprintf(p.trace, "%6.2f %s %s\n", time.Since(start).Seconds(), s.verb, s.rest)
		if err := p.take(s); err != nil {
			return fmt.Errorf("line %d, %s %s: %w", s.number, s.verb, s.rest, err)
		}
	}
	if p.shadow != nil {
		return p.shadow.end()
	}
	return nil
}

func (p *play) take(s step) error {
	s.rest = strings.ReplaceAll(s.rest, "$W", scratch)
	for _, lines := range [][]string{s.block, s.want, s.ours} {
		for i, line := range lines {
			lines[i] = strings.ReplaceAll(line, "$W", scratch)
		}
	}
	if act := acts[s.verb]; act != nil {
		return act(p, s)
	}
	options := s.options()
	o, err := looks[s.verb](p, s, options)
	if err == nil {
		err = options.apply(o)
	}
	switch {
	case err != nil:
		return err
	case p.Record:
		got, err := p.settle(*o)
		if err == nil && !slices.Equal(got, o.usual) {
			for _, line := range got {
				p.seen[s.number] = append(p.seen[s.number], strings.ReplaceAll(line, scratch, "$W"))
			}
		}
		return err
	}
	want := s.expected(p.Binary)
	if want == nil && !(s.split && !p.Binary.Reference) {
		want = o.usual
	}
	if err := p.await(*o, want); err != nil || p.shadow == nil || s.verb != "table" {
		return err
	}
	return p.shadow.agrees(p.Binary.patience(10 * time.Second))
}

// await looks until what is seen is what is expected, and has been for a while.
func (p *play) await(o observation, want []string) error {
	end := time.Now().Add(p.Binary.patience(o.limit))
	var since time.Time
	for {
		got, err := o.look()
		if err != nil {
			return err
		}
		now := time.Now()
		switch {
		case !slices.Equal(got, want):
			if now.After(end) {
				return difference(want, got)
			}
			since = time.Time{}
		case since.IsZero():
			since = now
		}
		if !since.IsZero() && now.Sub(since) >= o.hold {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func difference(want, got []string) error {
	for i := range max(len(want), len(got)) {
		w, g := lineOf(want, i), lineOf(got, i)
		if w != g {
			return fmt.Errorf("line %d is %s, expected %s", i+1, g, w)
		}
	}
	return fmt.Errorf("does not stay as it is")
}

func lineOf(lines []string, i int) string {
	if i < len(lines) {
		return fmt.Sprintf("%q", lines[i])
	}
	return "missing"
}
