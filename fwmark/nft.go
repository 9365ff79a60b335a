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
	out, err := run(ctx, path, "-j", "list", "ruleset")
	if err == nil {
		err = m.parseNFT([]byte(out))
	}
	if err != nil {
		m.unread("nft", err)
	}
}

type nftChain struct{ Family, Table, Name, Hook string }

type nftRule struct {
	Family, Table, Chain string
	Handle               int
	Expr                 []nftExpression
}

// nftExpression is one step of a rule, as far as we look: a jump, or a mark that is set.
type nftExpression struct {
	Jump, Goto struct{ Target string }
	Mangle     struct {
		Key   struct{ Meta struct{ Key string } }
		Value json.RawMessage
	}
}

func (r nftRule) chain() string { return r.Family + " " + r.Table + " " + r.Chain }

func (m *Machine) parseNFT(out []byte) error {
	if len(out) == 0 {
		return nil
	}
	var ruleset struct {
		Objects []struct {
			Chain *nftChain
			Rule  *nftRule
		} `json:"nftables"`
	}
	if err := json.Unmarshal(out, &ruleset); err != nil {
		return err
	}
	var (
		rules []nftRule
		seen  []string // the chains that packets which come in pass
	)
	for _, o := range ruleset.Objects {
		if o.Chain != nil && slices.Contains([]string{"prerouting", "ingress"}, o.Chain.Hook) {
			seen = append(seen, o.Chain.Family+" "+o.Chain.Table+" "+o.Chain.Name)
		}
		if o.Rule != nil {
			rules = append(rules, *o.Rule)
		}
	}
	for i := 0; i < len(seen); i++ {
		for _, r := range rules {
			if r.chain() != seen[i] {
				continue
			}
			for _, e := range r.Expr {
				if to := e.Jump.Target + e.Goto.Target; to != "" {
					if next := r.Family + " " + r.Table + " " + to; !slices.Contains(seen, next) {
						seen = append(seen, next)
					}
				}
				m.addNative(r, e)
			}
		}
	}
	return nil
}

// addNative adds what a rule makes of the mark; the MARK target of iptables' own rules is read by iptables.
func (m *Machine) addNative(r nftRule, e nftExpression) {
	if e.Mangle.Key.Meta.Key != "mark" {
		return
	}
	mark, mask, ok := nativeMark(e.Mangle.Value)
	if !ok {
		return
	}
	m.Settings = append(m.Settings, Setting{
		BackEnd: Native, IPv6: r.Family == "ip6", Chain: r.chain(),
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
