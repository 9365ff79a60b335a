package fwmark

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The chains of every daemon begin with everyDaemon; then comes the daemon's own mark, then the number of the
// generation: LDIRECTORD-1f3a5c7e-1. A name may have 28 characters (XT_EXTENSION_MAXNAMELEN less its end).
const (
	everyDaemon = "LDIRECTORD-"
	prerouting  = "PREROUTING"
)

// chainPrefix is what the chains of the daemon of that name begin with.
func chainPrefix(daemon string) string {
	sum := sha256.Sum256([]byte(daemon))
	return fmt.Sprintf("%s%x-", everyDaemon, sum[:4])
}

// A listing is a table as `iptables -S` prints it: the rules of each chain, without `-A CHAIN`.
type listing map[string][]string

func parseListing(output string) listing {
	chains := listing{}
	for text := range strings.Lines(output) {
		text = strings.TrimSuffix(text, "\n")
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

// target is the chain or target that a rule leads to, or nothing.
func target(rule string) string {
	all := words(rule)
	for i, word := range all {
		if (word == "-j" || word == "-g") && i+1 < len(all) {
			return all[i+1]
		}
	}
	return ""
}

// A generation is one chain of ours with all its rules.
type generation struct {
	chain string
	rules []string // in the form of line.String
	jumps []string // the rules of PREROUTING that lead to it, as printed
}

// state is what stands of one daemon in one table.
type state struct {
	generations []generation      // by number
	front       []string          // the rules of PREROUTING before the first of ours, without those of other daemons
	behind      int               // where in PREROUTING, from 1, a rule stands behind the jumps of daemons in front
	elsewhere   map[string]string // chains of ours that a rule of another chain than PREROUTING leads to: that chain
}

func readState(table listing, prefix string) state {
	s := state{elsewhere: map[string]string{}}
	for chain, rules := range table {
		if number(chain, prefix) > 0 {
			s.generations = append(s.generations, generation{chain: chain, rules: normalAll(rules)})
			continue
		}
		for _, rule := range rules {
			if to := target(rule); chain != prerouting && number(to, prefix) > 0 {
				s.elsewhere[to] = chain
			}
		}
	}
	slices.SortFunc(s.generations, func(a, b generation) int {
		return number(a.chain, prefix) - number(b.chain, prefix)
	})
	s.readJumps(table[prerouting], prefix)
	return s
}

func (s *state) readJumps(rules []string, prefix string) {
	s.behind = 1
	var before []string
	for i, rule := range rules {
		to := target(rule)
		if !strings.HasPrefix(to, everyDaemon) {
			before = append(before, rule)
			continue
		}
		if number(to, prefix) == 0 {
			continue
		}
		if s.jumps() == 0 {
			s.front = before
		}
		if len(before) == 0 {
			s.behind = i + 2
		}
		for g := range s.generations {
			if s.generations[g].chain == to {
				s.generations[g].jumps = append(s.generations[g].jumps, rule)
			}
		}
	}
}

func (s *state) jumps() int {
	count := 0
	for _, g := range s.generations {
		count += len(g.jumps)
	}
	return count
}

// standing is the generation that marks exactly as wanted: with those rules, and one jump in front of everything
// but other daemons' jumps.
func (s *state) standing(want []string) (chain string, ok bool) {
	for _, g := range s.generations {
		if len(want) > 0 && slices.Equal(g.rules, want) && slices.Equal(g.jumps, []string{jumpTo(g.chain)}) && len(s.front) == 0 {
			return g.chain, true
		}
	}
	return "", false
}

// right is true where exactly what is wanted stands, and nothing else of ours.
func (s *state) right(want []string) bool {
	if len(want) == 0 {
		return len(s.generations) == 0
	}
	_, ok := s.standing(want)
	return ok && len(s.generations) == 1
}

// free is a name for the next generation.
func (s *state) free(prefix string) string {
	for n := 1; ; n++ {
		name := prefix + strconv.Itoa(n)
		if !slices.ContainsFunc(s.generations, func(g generation) bool { return g.chain == name }) {
			return name
		}
	}
}

func jumpTo(chain string) string { return "-j " + chain }

// number of a generation of the daemon with that prefix; 0: none of its chains.
func number(chain, prefix string) int {
	digits, ok := strings.CutPrefix(chain, prefix)
	n, err := strconv.ParseUint(digits, 10, 16)
	if !ok || err != nil || strconv.FormatUint(n, 10) != digits {
		return 0
	}
	return int(n)
}

func normalAll(rules []string) []string {
	all := make([]string, len(rules))
	for i, rule := range rules {
		all[i] = normal(rule)
	}
	return all
}

// reachable are the chains that packets pass which enter at PREROUTING, that one first.
func (l listing) reachable() []string {
	chains := []string{prerouting}
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
