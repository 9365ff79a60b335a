package director

import (
	"bytes"
	"encoding/json"
	"fmt"

	"ldirectord/notify"
)

// VirtualState is a virtual service at one moment, as onchange hears of it.
type VirtualState struct {
	Virtual   string        `json:"virtual"`
	Available bool          `json:"available"` // a server is up
	Fallback  bool          `json:"fallback"`  // the sorry server answers
	Servers   []ServerState `json:"servers"`
}

// ServerState is a real server at one moment.
type ServerState struct {
	Real   string `json:"real"`
	State  string `json:"state"`  // unknown, up, down, drained, maintenance or off
	Weight int    `json:"weight"` // as configured
	Reason string `json:"reason,omitempty"`
}

// snapshot is what the director knows of a virtual service.
func (v *virtual) snapshot() (now VirtualState, up int) {
	now = VirtualState{Virtual: v.cfg.ID, Fallback: v.fallbackIn}
	for _, s := range v.servers {
		state := ServerState{Real: s.name, State: s.stateName(), Weight: s.real.Weight}
		switch state.State {
		case "up":
			up++
		case "down":
			state.Reason = s.reason
		case "maintenance":
			state.Reason = s.maintenance
		}
		now.Servers = append(now.Servers, state)
	}
	now.Available = up > 0
	return now, up
}

func (s *server) stateName() string {
	switch {
	case s.task == nil:
		return "off"
	case s.maintenance != "":
		return "maintenance"
	case s.draining():
		return "drained"
	default:
		return s.health.State.String()
	}
}

// runOnChange tells the operator's command that a virtual service is another one than last time.
func (d *Director) runOnChange(v *virtual) {
	if _, known := v.available(); v.cfg.OnChange == "" || !known {
		return
	}
	now, up := v.snapshot()
	text, err := json.Marshal(now)
	if err != nil || bytes.Equal(text, v.heard) {
		return
	}
	v.heard = text
	word := "unavailable"
	if now.Available {
		word = "available"
	}
	line := fmt.Sprintf("%s %s %s %d %d", v.cfg.OnChange, v.cfg.ID, word, up, len(v.servers))
	d.deps.Hooks.Run(notify.Hook{Lane: "onchange", Key: v.cfg.ID, Argv: notify.Shell(line), Stdin: append(text, '\n')})
}
