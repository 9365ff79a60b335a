package fwmark

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"ldirectord/program"
)

// readNFT reads the rules that nft made (libnftables-json(5)), if it is here.
func (m *Machine) readNFT(ctx context.Context) {
	path, err := program.Find("nft")
	if err != nil {
		return
	}
	m.readJSON(ctx, "nft", m.parseNFT, path, "-j", "list", "ruleset")
}

// readJSON has a program print JSON, and parses it. Where the kernel has no such rules it prints nothing.
func (m *Machine) readJSON(ctx context.Context, what string, parse func([]byte) error, path string, args ...string) {
	out, err := run(ctx, path, args...)
	if err == nil && out != "" {
		err = parse([]byte(out))
	}
	if err != nil {
		m.unread(what, err)
	}
}

// nftObject is a chain, or a rule of one.
type nftObject struct {
	Family, Table string
	Name, Hook    string // of a chain
	Chain         string // of a rule, as what follows
	Handle        int
	Expr          []nftExpression
}

// path names a chain of the object's table.
func (o nftObject) path(chain string) string { return o.Family + " " + o.Table + " " + chain }

// nftExpression is one step of a rule, as far as we look: a jump, or a mark that is set.
type nftExpression struct {
	Jump, Goto struct{ Target string }
	Mangle     struct {
		Key   struct{ Meta struct{ Key string } }
		Value json.RawMessage
	}
}

func (m *Machine) parseNFT(out []byte) error {
	var ruleset struct {
		Objects []struct{ Chain, Rule *nftObject } `json:"nftables"`
	}
	if err := json.Unmarshal(out, &ruleset); err != nil {
		return err
	}
	var seen []string // the chains that packets which come in pass
	rules := map[string][]*nftObject{}
	for _, o := range ruleset.Objects {
		if c := o.Chain; c != nil && slices.Contains([]string{"prerouting", "ingress"}, c.Hook) {
			seen = append(seen, c.path(c.Name))
		}
		if r := o.Rule; r != nil {
			rules[r.path(r.Chain)] = append(rules[r.path(r.Chain)], r)
		}
	}
	for i := 0; i < len(seen); i++ {
		for _, r := range rules[seen[i]] {
			for _, e := range r.Expr {
				if next := r.path(e.Jump.Target + e.Goto.Target); !slices.Contains(seen, next) {
					seen = append(seen, next) // of a rule that leads nowhere, without rules
				}
				m.addNative(r, e)
			}
		}
	}
	return nil
}

// addNative adds what a rule makes of the mark; the MARK target of iptables' own rules is read by iptables.
func (m *Machine) addNative(r *nftObject, e nftExpression) {
	if e.Mangle.Key.Meta.Key != "mark" {
		return
	}
	mark, mask, ok := nativeMark(e.Mangle.Value)
	if !ok {
		return
	}
	m.Settings = append(m.Settings, Setting{
		BackEnd: Native, IPv6: r.Family == "ip6", Chain: r.path(r.Chain),
		Rule: fmt.Sprintf("handle %d", r.Handle), Mark: mark, Mask: mask,
		Ours: strings.HasPrefix(r.Chain, everyDaemon),
	})
}

// nativeMark reads a value: a number, or the mark with bits taken out (&) and put in (|).
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
