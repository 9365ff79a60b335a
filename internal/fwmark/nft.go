package fwmark

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// readJSON runs a program that prints JSON, and parses its output. A program that finds no rules may print nothing.
func (m *Machine) readJSON(ctx context.Context, what string, parse func([]byte) error, path string, args ...string) {
	out, err := run(ctx, path, args...)
	if err == nil && out != "" {
		err = parse([]byte(out))
	}
	if err != nil {
		m.unread(what, err)
	}
}

// nftObject is a chain, a rule in a chain, or a map.
type nftObject struct {
	Family, Table string
	Name, Hook    string // of a chain; a map has a name, too
	Elem          json.RawMessage
	Chain         string // this field and those below are of a rule
	Handle        int
	Expr          []nftExpression
}

// path names a chain or a map in the object's table.
func (r nftObject) path(name string) string { return r.Family + " " + r.Table + " " + name }

// nftExpression is a part of a rule. It has only the fields of jumps, of matches, and of statements that set a mark.
type nftExpression struct {
	nftVerdict
	VMap   struct{ Data json.RawMessage }
	Match  struct{ Left json.RawMessage }
	Mangle struct {
		Key   struct{ Meta struct{ Key string } }
		Value json.RawMessage
	}
}

// nftVerdict is a verdict. It has only the fields of jumps.
type nftVerdict struct{ Jump, Goto struct{ Target string } }

func (m *Machine) parseNFT(out []byte) error {
	var ruleset struct {
		Objects []struct{ Chain, Rule, Map nftObject } `json:"nftables"`
	}
	if err := json.Unmarshal(out, &ruleset); err != nil {
		return err
	}
	var in, sent []string // the chains for incoming packets, and for packets that this machine sends
	rules, maps := map[string][]nftObject{}, map[string]json.RawMessage{}
	for _, o := range ruleset.Objects { // each has at most one of the three: the others are empty
		c, r := o.Chain, o.Rule
		switch c.Hook {
		case "prerouting", "ingress", "input":
			in = append(in, c.path(c.Name))
		case "output":
			sent = append(sent, c.path(c.Name))
		}
		rules[r.path(r.Chain)] = append(rules[r.path(r.Chain)], r)
		maps[o.Map.path("@"+o.Map.Name)] = o.Map.Elem
		if r.Family != "ip" && slices.ContainsFunc(r.Expr, nftExpression.looksBack) {
			m.Filters = append(m.Filters, "nft insert rule "+r.path(r.Chain)+" ip6 saddr %s accept")
		}
	}
	m.Settings = append(m.Settings, nativeSettings(in, rules, maps)...)
	m.Outgoing = append(m.Outgoing, nativeSettings(sent, rules, maps)...)
	return nil
}

// looksBack reports whether an expression looks up the interface of the route to an address.
func (e nftExpression) looksBack() bool {
	var left struct{ Fib struct{ Result string } }
	bad := json.Unmarshal(e.Match.Left, &left)
	return bad == nil && left.Fib.Result != "" && left.Fib.Result != "type"
}

// nativeSettings returns the rules that set marks, for the given chains and all chains to which they jump. It omits
// MARK targets of iptables, because iptables lists them itself.
func nativeSettings(chains []string, rules map[string][]nftObject, maps map[string]json.RawMessage) (list []Setting) {
	known := map[string]bool{}
	for byMap := false; len(chains) > 0; byMap = true {
		var mapped []string
		for i := 0; i < len(chains); i++ {
			if known[chains[i]] {
				continue
			}
			known[chains[i]] = true
			for _, r := range rules[chains[i]] {
				for _, e := range r.Expr {
					if s, ok := r.setting(e); ok {
						s.ByMap = byMap
						list = append(list, s)
					}
					chains = append(chains, r.targets(e.nftVerdict)...)
					mapped = append(mapped, r.targets(r.verdicts(e, maps)...)...)
				}
			}
		}
		chains = mapped
	}
	return list
}

// verdicts returns the verdicts of the map that an expression of the rule names or contains.
func (r nftObject) verdicts(e nftExpression, maps map[string]json.RawMessage) []nftVerdict {
	var (
		name   string // @NAME
		inRule struct{ Set json.RawMessage }
		pairs  [][]nftVerdict
	)
	_ = json.Unmarshal(e.VMap.Data, &name)
	_ = json.Unmarshal(e.VMap.Data, &inRule)                              // one of them fits
	_ = json.Unmarshal(append(inRule.Set, maps[r.path(name)]...), &pairs) // it skips the keys
	return slices.Concat(pairs...)
}

// targets returns the chains to which verdicts of a rule jump.
func (r nftObject) targets(verdicts ...nftVerdict) (chains []string) {
	for _, v := range verdicts {
		if to := v.Jump.Target + v.Goto.Target; to != "" {
			chains = append(chains, r.path(to))
		}
	}
	return chains
}

// setting returns the effect of one of the rule's expressions on the mark.
func (r nftObject) setting(e nftExpression) (s Setting, ok bool) {
	if e.Mangle.Key.Meta.Key != "mark" {
		return s, false
	}
	mark, mask, known := nativeMark(e.Mangle.Value)
	if !known {
		mark, mask = 0, wholeMark
	}
	var from struct{ Ct struct{ Key string } }
	restores := !known && json.Unmarshal(e.Mangle.Value, &from) == nil && from.Ct.Key == "mark"
	return Setting{
		BackEnd: Native, IPv6: r.Family == "ip6", Chain: r.path(r.Chain),
		Rule: fmt.Sprintf("handle %d", r.Handle), Mark: mark, Mask: mask,
		Ours: strings.HasPrefix(r.Chain, everyDaemon), Restores: restores, Unclear: !known && !restores,
	}, true
}

// nativeMark reads the value to which a mark is set: a number, or the mark itself with bits cleared (&) or set (|).
func nativeMark(value json.RawMessage) (mark, mask uint32, ok bool) {
	if json.Unmarshal(value, &mark) == nil {
		return mark, wholeMark, true
	}
	var (
		v struct {
			Meta struct{ Key string }
			Or   []json.RawMessage `json:"|"`
			And  []json.RawMessage `json:"&"`
		}
		bits uint32
	)
	if json.Unmarshal(value, &v) != nil || v.Meta.Key == "mark" {
		return 0, 0, v.Meta.Key == "mark"
	}
	sides := append(v.Or, v.And...)
	if len(sides) != 2 || json.Unmarshal(sides[1], &bits) != nil {
		return 0, 0, false
	}
	mark, mask, ok = nativeMark(sides[0])
	if v.Or != nil {
		return mark | bits, mask | bits, ok
	}
	return mark & bits, mask | ^bits, ok
}
