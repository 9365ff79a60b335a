package director

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"ldirectord/notify"
)

// VirtualState is a virtual service at one moment, as onchange reads it.
type VirtualState struct {
	Virtual   string `json:"virtual"`
	Available bool   `json:"available"`        // a server is up or held, and packets reach it
	Reason    string `json:"reason,omitempty"` // why it is not, though a server is up
	Fallback  bool   `json:"fallback"`         // the fallback server serves
	// its addresses are on the device of announce; absent without it
	Announced *bool         `json:"announced,omitempty"`
	Enough    *MinServers   `json:"minservers,omitempty"` // absent without minservers
	Servers   []ServerState `json:"servers"`
	Leaving   []string      `json:"leaving,omitempty"` // who left the file and drains
}

// ServerState is a real server at one moment.
type ServerState struct {
	Real    string `json:"real"`
	Address string `json:"address,omitempty"` // where Real is a host name
	State   string `json:"state"`             // unknown, up, down, drained, maintenance or off
	Weight  int    `json:"weight"`            // as configured
	Reason  string `json:"reason,omitempty"`
	Held    bool   `json:"held,omitempty"` // down, and in service all the same: see keepserving
}

// snapshot is what the director knows of a virtual service.
func (v *virtual) snapshot() (now VirtualState, up int) {
	now = VirtualState{Virtual: v.cfg.ID, Fallback: v.fallbackIn, Enough: v.minServers()}
	now.Available, _ = v.available()
	if len(v.addresses) > 0 {
		now.Announced = new(
			!slices.ContainsFunc(v.addresses, func(one *announcement) bool { return one.at != one.device }))
	}
	servers := make([]ServerSnapshot, v.size())
	v.describeServers(servers)
	for i := range servers {
		s := &servers[i]
		if s.State == "up" {
			up++
		}
		now.Servers = append(now.Servers, ServerState{s.Real, s.Address, s.State, s.Weight, s.Reason, s.Held})
	}
	for _, l := range v.describeLeavers() {
		now.Leaving = append(now.Leaving, l.Name)
	}
	return now, up
}

func (s *server) stateName() string {
	switch {
	case s.first.task == nil:
		return "off"
	case s.suspended() != "":
		return "maintenance"
	case s.draining():
		return "drained"
	default:
		return s.verdict().String()
	}
}

// tells reports whether anybody is told of the states of a virtual service: the operator's command, or the webhook.
func (d *Director) tells(v *virtual) bool { return v.cfg.OnChange != "" || d.posts() }

func (d *Director) posts() bool { return d.deps.Webhook != nil && d.global.Webhook != "" }

// runOnChange tells the state of a virtual service when it is not what was told last. A service is not available before
// the rules that mark its packets are set. When they can't be changed later, it stays so.
func (d *Director) runOnChange(v *virtual) {
	if _, known := v.available(); !d.tells(v) || !known || d.demotion != nil {
		return
	}
	now, up := v.snapshot()
	if now.Available && !v.announced && !d.marker.has(v.cfg) {
		if d.marker.trouble == "" {
			return // it is called when the rules are set, or can't be
		}
		now.Available, now.Reason = false, "mark rules can't be set: "+d.marker.trouble
	}
	d.tellChange(v, now, up, nil)
}

// tellChange runs the command and posts to the webhook, unless they were last told the same. Begin, if not nil, is
// called for each of the two, and what it returns when that one has ended.
func (d *Director) tellChange(v *virtual, now VirtualState, up int, begin func() (end func())) {
	text, err := json.Marshal(now)
	if err != nil || bytes.Equal(text, v.lastOnChange) {
		return
	}
	if begin == nil {
		begin = func() func() { return nil }
	}
	v.lastOnChange, v.announced = text, now.Available
	input := append(text, '\n')
	if d.posts() {
		d.deps.Webhook.Post(v.cfg.ID, input, begin())
	}
	if v.cfg.OnChange == "" {
		return
	}
	word := "unavailable"
	if now.Available {
		word = "available"
	}
	line := fmt.Sprintf("%s %s %s %d %d", v.cfg.OnChange, v.cfg.ID, word, up, len(now.Servers))
	d.deps.Hooks.Run(notify.Hook{Lane: "onchange", Key: v.cfg.ID, Argv: notify.Shell(line), Stdin: input,
		Ended: begin()})
}
