package director

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync/atomic"

	"ldirectord/lvs"
	"ldirectord/notify"
)

// message is a virtual service at one moment, as onchange and the webhook get it.
type message struct {
	Virtual   string      `json:"virtual"`
	Available bool        `json:"available"`        // a server is up or held, and packets reach it
	Reason    string      `json:"reason,omitempty"` // why it is not, though a server is up
	Fallback  bool        `json:"fallback"`         // the fallback server serves
	Announced *bool       `json:"announced,omitempty"`
	Enough    *MinServers `json:"minservers,omitempty"`
	Servers   []member    `json:"servers"`
	Leaving   []string    `json:"leaving,omitempty"` // servers that left the file and drain
}

// member is a real server in a message.
type member struct {
	Real    string `json:"real"`
	Address string `json:"address,omitempty"` // where Real is a host name
	State   string `json:"state"`             // unknown, up, down, drained, maintenance or off
	Weight  int    `json:"weight"`            // as configured
	Reason  string `json:"reason,omitempty"`
	Held    bool   `json:"held,omitempty"`
}

// message is what there is to tell of a virtual service, and how many of its servers are up.
func (now *VirtualSnapshot) message() (m message, up int) {
	m = message{Virtual: now.ID, Announced: now.Announced, Enough: now.Enough}
	m.Fallback = now.Fallback != nil && now.Fallback.Active
	for i := range now.Servers {
		s := &now.Servers[i]
		if s.State == "up" {
			up++
		}
		m.Servers = append(m.Servers, member{s.Real, s.Address, s.State, s.Weight, s.Reason, s.Held})
	}
	for i := range now.Leaving {
		m.Leaving = append(m.Leaving, now.Leaving[i].Name)
	}
	return m, up
}

// message is what there is to tell of a virtual service now.
func (v *virtual) message() (m message, up int) {
	m, up = describeAll([]*virtual{v}, nil)[0].message()
	m.Available, _ = v.Available()
	return m, up
}

// tells reports whether anybody is told of the states of a virtual service: the operator's command, or the webhook.
func (t *teller) tells(v *virtual) bool { return v.cfg.OnChange != "" || t.posts }

// tellState tells the states of virtual services that the table has, but not while a demotion is under way.
func (d *Director) tellState(virtuals ...*virtual) {
	for _, v := range virtuals {
		if d.demotion == nil && v.Known {
			d.teller.state(v, d.marker.has(v.cfg), d.marker.trouble)
		}
	}
}

// state tells the state of a virtual service when it is not what was told last. A service is not available before the
// rules that mark its packets are set. When they can't be changed later, it stays so. Trouble is why they can't be set.
func (t *teller) state(v *virtual, marked bool, trouble string) {
	if _, known := v.Available(); !t.tells(v) || !known {
		return
	}
	now, up := v.message()
	if now.Available && !v.told.available && !marked {
		if trouble == "" {
			return // it is told when the rules are set, or can't be
		}
		now.Available, now.Reason = false, "mark rules can't be set: "+trouble
	}
	t.change(v, now, up, nil)
}

// leaving tells of those virtual services that are about to leave the table: by cleanstop, unless another daemon waits,
// as in beside. The channel is closed when the commands have ended and the webhook was tried; it is nil when nobody is
// told.
func (t *teller) leaving(virtuals []*virtual, beside map[lvs.Key]string, why string) <-chan struct{} {
	ended, any := make(chan struct{}), false
	var left atomic.Int32 // commands, and this function
	left.Store(1)
	end := func() {
		if left.Add(-1) == 0 {
			close(ended)
		}
	}
	begin := func() func() {
		any = true
		left.Add(1)
		return end
	}
	for _, v := range virtuals {
		goes := v.cfg.CleanStop && beside[v.key] == ""
		if !goes || !t.tells(v) || v.told.state != nil && !v.told.available {
			continue
		}
		now, up := v.message()
		now.Available, now.Reason = false, why
		t.change(v, now, up, begin)
	}
	if !any {
		return nil
	}
	end()
	return ended
}

// change runs the command and posts to the webhook, unless they were last told the same. Begin, if not nil, is
// called for each of the two, and what it returns when that one has ended.
func (t *teller) change(v *virtual, now message, up int, begin func() (end func())) {
	text, err := json.Marshal(now)
	if err != nil || bytes.Equal(text, v.told.state) {
		return
	}
	if begin == nil {
		begin = func() func() { return nil }
	}
	v.told.state, v.told.available = text, now.Available
	input := append(text, '\n')
	if t.posts {
		t.webhook.Post(v.cfg.ID, input, begin())
	}
	if v.cfg.OnChange == "" {
		return
	}
	word := "unavailable"
	if now.Available {
		word = "available"
	}
	line := fmt.Sprintf("%s %s %s %d %d", v.cfg.OnChange, v.cfg.ID, word, up, len(now.Servers))
	t.hooks.Run(notify.Hook{Lane: "onchange", Key: v.cfg.ID, Argv: notify.Shell(line), Stdin: input,
		Ended: begin()})
}

// fallback runs the fallbackcommand when the last server goes and when the first one is back.
func (t *teller) fallback(v *virtual) {
	up, known := v.Available()
	state := "stop"
	if !up {
		state = "start"
	}
	if v.cfg.FallbackCommand == "" || !known || v.told.fallback == state {
		return
	}
	v.told.fallback = state
	address := v.name
	if v.key.Protocol == lvs.Mark {
		address = ":0" // what the Perl ldirectord gives for a mark
	}
	line := fmt.Sprintf("%s %s %s %s", v.cfg.FallbackCommand, state, address, v.cfg.Protocol)
	t.hooks.Run(notify.Hook{Lane: v.cfg.ID, Key: v.cfg.ID, Argv: notify.Shell(line)})
}
