package fwmark

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/coreos/go-iptables/iptables"

	"ldirectord/internal/subprocess"
)

// tables gives access to the mangle table of one family.
type tables interface {
	// list reads every chain. If idle is set, list loads no module, and the listing is empty if the table can't be
	// read, unless the failure may be temporary.
	list(ctx context.Context, idle bool) (listing, error)
	run(context.Context, command) error
}

// A command is one change of the table, in the syntax of iptables.
type command struct {
	option   string // -N, -A, -I, -D, or -X, which empties the chain first
	chain    string
	position int    // with -I, from 1
	rule     string // arguments of iptables, separated by spaces
}

func (c command) String() string {
	text := c.option + " " + c.chain
	if c.option == insertRule {
		text += " " + strconv.Itoa(c.position)
	}
	if c.rule != "" {
		text += " " + c.rule
	}
	return text
}

// The options of commands.
const (
	newChain    = "-N"
	appendRule  = "-A"
	insertRule  = "-I"
	deleteRule  = "-D"
	removeChain = "-X"
)

const (
	mangle   = "mangle"
	raw      = "raw"
	lockWait = 5 // seconds to wait for the lock of iptables (-w), within patience
)

// iptablesOf returns the program for the tables of a family.
func iptablesOf(ipv6 bool) string {
	if ipv6 {
		return "ip6tables"
	}
	return "iptables"
}

// xtables changes the table with go-iptables, which runs iptables for each rule. The library has no deadline and can't
// be stopped. If a run takes longer than patience, xtables abandons it, and starts the next run only when it has
// ended. To list rules, xtables runs iptables itself, with a time limit.
type xtables struct {
	program string // iptables or ip6tables
	ipv6    bool
	library *iptables.IPTables // made at the first change
	running chan error         // receives the result of an abandoned run
}

func (x *xtables) list(ctx context.Context, idle bool) (table listing, err error) {
	path, err := x.find()
	switch {
	case err != nil:
	case idle:
		table, err = listPresent(ctx, path, backEndOf(ctx, path), mangle, x.ipv6)
	default:
		table, err = list(ctx, path, mangle)
	}
	if idle && err != nil && !passing(err) {
		return nil, nil
	}
	return table, err
}

func (x *xtables) find() (string, error) {
	path, err := subprocess.Find(x.program)
	if err != nil {
		return "", fmt.Errorf("%w (package iptables)", err)
	}
	return path, nil
}

func list(ctx context.Context, path, table string) (listing, error) {
	out, err := run(ctx, path, "-w", strconv.Itoa(lockWait), "-t", table, "-S")
	if err != nil {
		return nil, hint(err, table, "")
	}
	return parseListing(out), nil
}

// listPresent lists a table if it exists. To list a missing table, iptables-legacy would load the table's module.
func listPresent(ctx context.Context, path string, b BackEnd, table string, ipv6 bool) (listing, error) {
	if b == Legacy {
		if there, err := legacyTable(os.DirFS("/"), table, ipv6); !there || err != nil {
			return nil, err
		}
	}
	return list(ctx, path, table)
}

// passing reports whether a failure may be temporary. Any other failure means that this kernel has no table, or that
// this user can't read it.
func passing(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		strings.Contains(err.Error(), "xtables lock")
}

// run runs iptables after the previous run has ended. It waits for both no longer than patience.
func (x *xtables) run(ctx context.Context, c command) error {
	what := x.program + " -t " + mangle + " " + c.String()
	ctx, cancel := context.WithTimeoutCause(ctx, patience, &subprocess.TimeoutError{Limit: patience})
	defer cancel()
	if x.running != nil {
		select {
		case <-x.running:
		case <-ctx.Done():
			return fmt.Errorf("%s: the previous iptables process is still running", what)
		}
	}
	running := make(chan error, 1)
	x.running = running
	go func() { running <- x.do(c) }()
	select {
	case err := <-running:
		x.running = nil
		if err != nil {
			return hint(fmt.Errorf("%s: %w", what, complaint(err)), mangle, what)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", what, context.Cause(ctx))
	}
}

// do makes a change. Only one goroutine at a time may call it.
func (x *xtables) do(c command) error {
	if x.library == nil {
		path, err := x.find()
		if err != nil {
			return err
		}
		if x.library, err = iptables.New(iptables.Timeout(lockWait), iptables.Path(path)); err != nil {
			return err
		}
	}
	switch c.option {
	case newChain:
		return x.library.NewChain(mangle, c.chain)
	case appendRule:
		return x.library.Append(mangle, c.chain, words(c.rule)...)
	case insertRule:
		return x.library.Insert(mangle, c.chain, c.position, words(c.rule)...)
	case deleteRule:
		return x.library.Delete(mangle, c.chain, words(c.rule)...)
	default:
		return x.library.ClearAndDeleteChain(mangle, c.chain)
	}
}

// complaint returns the error text of iptables, without the command line that the library puts before it.
func complaint(err error) error {
	failed, is := errors.AsType[*iptables.Error](err)
	if !is {
		return err
	}
	status := fmt.Sprintf("exit status %d", failed.ExitStatus())
	_, text, _ := strings.Cut(failed.Error(), status+": ")
	return errors.New(cmp.Or(oneLine(text), status))
}

// lacksModule matches the errors that both back ends return if the kernel has no module for a match or target.
var lacksModule = regexp.MustCompile(`No chain/target/match|missing kernel module|No such file or directory`)

// hint adds the cause, such as a missing module, to an error of iptables that does not name it.
func hint(err error, table, command string) error {
	text := err.Error()
	switch {
	case strings.Contains(text, "use 'nft' tool"):
		return fmt.Errorf("%w (the table %s has rules that nft added)", err, table)
	case strings.Contains(text, "can't initialize"), strings.Contains(text, "TABLE_ADD failed"):
		return fmt.Errorf("%w (the kernel lacks the table: module iptable_%s, ip6table_%[2]s or nf_tables)",
			err, table)
	case strings.Contains(command, "-j MARK") && lacksModule.MatchString(text):
		return fmt.Errorf("%w (needs the kernel modules %s)", err, modules(command))
	}
	return err
}

// modules returns all modules that a rule needs, because the error may not name the missing one.
func modules(rule string) string {
	needs := "xt_mark"
	if strings.Contains(rule, "multiport") {
		needs += ", xt_multiport"
	}
	if strings.Contains(rule, "-p sctp") && strings.Contains(rule, "--dport ") {
		needs += ", xt_sctp"
	}
	return needs
}
