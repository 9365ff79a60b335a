package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"ldirectord/internal/daemon"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/runfile"
	"ldirectord/internal/view"
	"ldirectord/internal/whatif"
	"ldirectord/parser"
)

// maxScript is the largest size of a script, in bytes.
const maxScript = 1 << 20

// testFile plays scripts against the configuration: it applies the daemon's rules to a table in memory, without real
// checks and without waiting.
func testFile(c *call) error {
	failed := 0
	for _, name := range c.args {
		text, err := runfile.ReadFile(name, maxScript)
		if err != nil {
			return exit{exitUsage, runfile.While("reading the script", err)}
		}
		lines := strings.Split(strings.TrimPrefix(string(text), parser.ByteOrderMark), "\n")
		s := &script{call: c, file: name, lines: lines, orders: orders.All{},
			world: whatif.New(c.Plan, c.Plan.Services, nil, 0)}
		if err := s.play(); err != nil {
			// the error of the script command table has several lines
			for line := range strings.SplitSeq(err.Error(), "\n") {
				c.say("%s", line)
			}
			failed++
		} else {
			c.tell("%s: passed", name)
		}
	}
	if failed > 0 {
		return exit{status: exitFailure}
	}
	return nil
}

// script is the state of a script that is being played.
type script struct {
	*call
	file   string
	lines  []string
	at     int // the index of the line that is played
	orders orders.All
	world  *whatif.World
}

func (s *script) play() error {
	for s.at = 0; s.at < len(s.lines); s.at++ {
		line, _, _ := strings.Cut(s.lines[s.at], "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		number := s.at + 1
		acts := s.acts()
		act := acts[words[0]]
		if act == nil {
			return fmt.Errorf("%s:%d: %q is not a script command%s", s.file, number, words[0],
				parser.DidYouMean(words[0], slices.Sorted(maps.Keys(acts))))
		}
		if err := act(words[1:]); err != nil {
			return fmt.Errorf("%s:%d: %s: %w", s.file, number, strings.Join(words, " "), err)
		}
	}
	return nil
}

// acts returns the function for each word with which a line of a script may begin.
func (s *script) acts() map[string]func([]string) error {
	breaks := func(fail bool) func([]string) error {
		return func(words []string) error {
			servers, err := s.named(words)
			s.world.Break(s.world.Asked(servers), fail)
			return err
		}
	}
	ordered := func(kind orders.Kind) func([]string) error {
		return func(words []string) error { return s.order(kind, words) }
	}
	return map[string]func([]string) error{
		"down": breaks(true), "up": breaks(false), "wait": s.wait, "reload": s.reload,
		"drain": ordered(orders.Drain), "maint": ordered(orders.Maint), "ready": ordered(orders.Ready),
		"serves": s.serves, "is": s.is, "table": s.table,
	}
}

// named returns the servers that words name.
func (s *script) named(words []string) ([]lvs.Backend, error) {
	if len(words) == 0 {
		return nil, errors.New("a real server must follow")
	}
	return meantBy(s.call, s.world.Snapshot(), words)
}

// order gives an order, or refuses it as the daemon does.
func (s *script) order(kind orders.Kind, words []string) error {
	servers, err := s.named(words)
	if err != nil {
		return err
	}
	ready, one := orders.All{}, orders.Order{Kind: kind}
	if short := s.world.Snapshot().Short(servers, s.orders, false); kind != orders.Ready && len(short) > 0 {
		return errors.New(short[0].String())
	}
	for _, at := range servers {
		if kind == orders.Ready {
			delete(s.orders, at)
			ready[at] = one
		} else {
			s.orders[at] = one
		}
	}
	s.world.Order(s.orders, ready)
	return nil
}

func (s *script) wait(words []string) error {
	for _, word := range words {
		d, _, ok := parser.ParseSeconds(word)
		if !ok || d.Duration() > maxWait {
			return fmt.Errorf("%q is not a time; it must be a number with ms, s, m or h, up to %v", word,
				maxWait)
		}
		s.world.Let(d.Duration())
	}
	return nil
}

// maxWait is the longest wait that a script may request.
const maxWait = 24 * time.Hour

// reload loads another file, in the same way as the daemon loads a changed file.
func (s *script) reload(words []string) error {
	if len(words) != 1 {
		return errors.New("a file must follow")
	}
	source := s.source()
	source.Path = words[0]
	l, err := daemon.Load(s.ctx, source)
	if err != nil {
		return err
	}
	if l.Plan == nil {
		return errors.New(l.Refusals()[0])
	}
	s.world.Reload(l.Plan)
	return nil
}

// virtual returns the virtual service that a word names.
func (s *script) virtual(word string) (*view.Virtual, error) {
	now := s.world.Snapshot()
	if err := now.Called(&word); err != nil {
		return nil, err
	}
	for i := range now.Virtuals {
		if v := &now.Virtuals[i]; lvs.IsNamed(v.ID, word) && word != "" {
			return v, nil
		}
	}
	return nil, fmt.Errorf("there is no virtual service %s", word)
}

// serves checks how many of a virtual service's servers are serving, or that its fallback server is. The virtual
// service may be several words, because a servicename may have blanks.
func (s *script) serves(words []string) error {
	last := len(words) - 1
	if last < 1 {
		return errors.New("the form is serves VIRTUAL N or serves VIRTUAL fallback")
	}
	v, err := s.virtual(strings.Join(words[:last], " "))
	if err != nil {
		return err
	}
	got := strconv.Itoa(v.Serving)
	if v.Serving == 0 && v.ServingFallback() != nil {
		got = "fallback"
	}
	if got != words[last] {
		return fmt.Errorf("it has %s", got)
	}
	return nil
}

// is checks that a server has the given state in each of its virtual services.
func (s *script) is(words []string) error {
	if len(words) != 2 {
		return errors.New("a real server and its state must follow: up, down, held, drained, maintenance, " +
			"unknown or off")
	}
	now := s.world.Snapshot()
	found, err := meantBy(s.call, now, words[:1])
	if err != nil {
		return err
	}
	for v, one := range now.Among(found) {
		state := one.State
		if one.Held {
			state = "held"
		}
		if state != words[1] {
			return fmt.Errorf("%s is %s", lvs.At(v.ID, one.Real), state)
		}
	}
	return nil
}

// table compares the table with the lines that follow, in the form of ipvsadm -Sn.
func (s *script) table([]string) error {
	var want, got []string
	for s.at+1 < len(s.lines) && strings.HasPrefix(s.lines[s.at+1], "-") {
		s.at++
		want = append(want, strings.TrimSpace(s.lines[s.at]))
	}
	for _, op := range lvs.Diff(nil, s.world.Table()) {
		got = append(got, op.String())
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("the table is\n%s", strings.Join(got, "\n"))
	}
	return nil
}
