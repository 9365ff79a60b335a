package fwmark

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"ldirectord/internal/subprocess"
)

// ReadRouting reads the routing rules that use marks, as `ip -json rule` prints them (ip-rule(8)).
func (m *Machine) ReadRouting(ctx context.Context) {
	path, err := subprocess.Find("ip")
	if err != nil {
		m.unread("ip rule", err)
		return
	}
	for _, family := range []string{"-4", "-6"} {
		parse := func(out []byte) error { return m.parseRouting(out, family == "-6") }
		m.readJSON(ctx, "ip "+family+" rule", parse, path, family, "-json", "rule")
	}
}

func (m *Machine) parseRouting(out []byte, ipv6 bool) error {
	var rules []struct {
		Priority int
		Mark     string `json:"fwmark"`
		Mask     string `json:"fwmask"`
		Table    string
	}
	if err := json.Unmarshal(out, &rules); err != nil {
		return err
	}
	for _, r := range rules {
		if r.Mark == "" {
			continue
		}
		text := strings.TrimSuffix(r.Mark+"/"+r.Mask, "/")
		mark, mask, ok := parseMark(text)
		if !ok {
			return fmt.Errorf("mark %q", text)
		}
		m.Routing = append(m.Routing,
			RoutingRule{IPv6: ipv6, Priority: r.Priority, Mark: mark, Mask: mask, Table: r.Table})
	}
	return nil
}
