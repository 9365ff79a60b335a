package fwmark

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The name of a chain consists of everyDaemon, a hash of the daemon's name, and the number of the generation:
// LDIRECTORD-1f3a5c7e-1. It may have up to 28 characters (XT_EXTENSION_MAXNAMELEN without the terminating NUL).
const (
	everyDaemon = "LDIRECTORD-"
	prerouting  = "PREROUTING"
)

// chainPrefix returns the prefix of the names of a daemon's chains.
func chainPrefix(daemon string) string {
	sum := sha256.Sum256([]byte(daemon))
	return fmt.Sprintf("%s%x-", everyDaemon, sum[:4])
}

// A listing is a table as `iptables -S` prints it: the rules of each chain, without `-A CHAIN`.
type listing map[string][]string

func parseListing(output string) listing {
	chains := listing{}
	for text := range strings.SplitSeq(output, "\n") {
		option, rest, _ := strings.Cut(text, " ")
		chain, rule, _ := strings.Cut(rest, " ")
		switch option {
		case "-P", "-N":
			chains[chain] = nil
		case "-A":
			chains[chain] = append(chains[chain], rule)
		}
	}
	return chains
}

// target returns the chain or target to which a rule jumps, or "".
func target(rule string) string { return after(rule, "-j", "-g") }

// after returns the word that follows the first occurrence of one of the options in a rule, or "".
func after(rule string, options ...string) string {
	before := ""
	for _, word := range words(rule) {
		if slices.Contains(options, before) {
			return word
		}
		before = word
	}
	return ""
}

// A generation is one of our chains, with all its rules.
type generation struct {
	number int
	chain  string
	rules  []string // as normal returns them
	jumps  []string // the rules of PREROUTING that jump to it, as printed
}

// state is one daemon's part of one table.
type state struct {
	prefix      string       // of its chains
	generations []generation // by number
	// the rules of PREROUTING before our first jump, without the jumps of other daemons
	before []string
	// the position for a new jump in PREROUTING: after the last of our jumps that only jumps of daemons precede, or
	// else the first position
	jumpAt int
}

func readState(table listing, prefix string) state {
	s := state{prefix: prefix}
	for chain, rules := range table {
		if n := number(chain, prefix); n > 0 {
			g := generation{number: n, chain: chain}
			for _, rule := range rules {
				g.rules = append(g.rules, normal(rule))
			}
			s.generations = append(s.generations, g)
		}
	}
	slices.SortFunc(s.generations, func(a, b generation) int { return a.number - b.number })
	s.readJumps(table[prerouting])
	return s
}

func (s *state) readJumps(rules []string) {
	s.jumpAt = 1
	var before []string
	first := true
	for i, rule := range rules {
		to := target(rule)
		if !strings.HasPrefix(to, everyDaemon) {
			before = append(before, rule)
			continue
		}
		g := slices.IndexFunc(s.generations, func(g generation) bool { return g.chain == to })
		if g < 0 { // of another daemon
			continue
		}
		if first {
			s.before, first = before, false
		}
		if len(before) == 0 {
			s.jumpAt = i + 2
		}
		s.generations[g].jumps = append(s.generations[g].jumps, rule)
	}
}

// current returns the chain of the generation that needs no change, or "". Such a generation has exactly the rules of
// want and one jump. Before the first jump to any of our chains, there are only jumps of other daemons.
func (s *state) current(want []string) string {
	for _, g := range s.generations {
		if len(want) > 0 && slices.Equal(g.rules, want) && slices.Equal(g.jumps, []string{jumpTo(g.chain)}) &&
			len(s.before) == 0 {
			return g.chain
		}
	}
	return ""
}

// changes returns the commands that give our chains exactly the desired rules. It returns none if nothing differs. The
// commands add a generation with the desired rules if there is none, and then remove the other generations. The new
// jump comes after our old ones at the front of PREROUTING, so that the new generation sets the mark while both exist.
func (s *state) changes(want []string) (commands []command) {
	keep := s.current(want)
	if keep == "" && len(want) > 0 {
		keep = s.unused()
		commands = append(commands, command{option: newChain, chain: keep})
		for _, rule := range want {
			commands = append(commands, command{option: appendRule, chain: keep, rule: rule})
		}
		commands = append(commands,
			command{option: insertRule, chain: prerouting, position: s.jumpAt, rule: jumpTo(keep)})
	}
	for _, g := range s.generations {
		if g.chain == keep {
			continue
		}
		for _, jump := range g.jumps {
			commands = append(commands, command{option: deleteRule, chain: prerouting, rule: jump})
		}
		commands = append(commands, command{option: removeChain, chain: g.chain})
	}
	return commands
}

// unused returns a name for the next generation, with the first free number.
func (s *state) unused() string {
	n := 1
	for _, g := range s.generations {
		if g.number == n {
			n++
		}
	}
	return s.prefix + strconv.Itoa(n)
}

func jumpTo(chain string) string { return "-j " + chain }

// number returns the number of a generation of this daemon, or 0 for other chains.
func number(chain, prefix string) int {
	n, _ := strconv.ParseUint(strings.TrimPrefix(chain, prefix), 10, 16) // if it fails, the name is not ours
	if chain != prefix+strconv.FormatUint(n, 10) {
		return 0
	}
	return int(n)
}

// leading returns a chain other than PREROUTING with a rule that jumps to the given chain, or "".
func (l listing) leading(to string) string {
	for chain, rules := range l {
		leads := func(rule string) bool { return target(rule) == to }
		if chain != prerouting && slices.ContainsFunc(rules, leads) {
			return chain
		}
	}
	return ""
}

// reachable returns the given chains and all chains that can be reached from them.
func (l listing) reachable(chains ...string) []string {
	for i := 0; i < len(chains); i++ {
		for _, rule := range l[chains[i]] {
			to := target(rule)
			if _, isChain := l[to]; isChain && !slices.Contains(chains, to) {
				chains = append(chains, to)
			}
		}
	}
	return chains
}
