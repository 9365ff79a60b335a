package core

import (
	"bytes"
	"encoding/json"
	"time"

	"ldirectord/internal/notify"
	"ldirectord/internal/view"
	"ldirectord/parser"
)

// message is the state of a virtual service at one moment, in the form that onchange and the webhook receive.
type message struct {
	Virtual   string           `json:"virtual"`
	Available bool             `json:"available"`        // a server is up or held, and clients get to it
	Reason    string           `json:"reason,omitempty"` // why it is not available although a server is up
	Fallback  bool             `json:"fallback"`         // the fallback server serves
	Announced *bool            `json:"announced,omitempty"`
	Enough    *view.MinServers `json:"minservers,omitempty"`
	Servers   []member         `json:"servers"`
	Leaving   []string         `json:"leaving,omitempty"` // servers that left the file and drain
}

// member is a real server in a message.
type member struct {
	Real    string `json:"real"`
	Address string `json:"address,omitempty"` // the address, if Real is a host name
	State   string `json:"state"`             // unknown, up, down, drained, maintenance or off
	Weight  int    `json:"weight"`            // as configured
	Reason  string `json:"reason,omitempty"`
	Held    bool   `json:"held,omitempty"`
	Waits   string `json:"waits_for,omitempty"`
}

// message describes a virtual service at a moment, and counts its servers that are up.
func (v *virtual) message(at time.Time) (m message, up int) {
	now := &describeAll([]*virtual{v}, nil, at)[0]
	m = message{Virtual: now.ID, Announced: now.Announced, Enough: now.Enough, Servers: []member{}}
	m.Fallback = now.ServingFallback() != nil
	for _, s := range now.Servers {
		if s.State == "up" && s.WaitsFor == "" {
			up++
		}
		m.Servers = append(m.Servers,
			member{s.Real, s.Address, s.State, s.Weight, s.Reason, s.Held, s.WaitsFor})
	}
	for _, l := range now.Leaving {
		m.Leaving = append(m.Leaving, l.Real)
	}
	switch m.Available, _ = v.Available(); {
	case !m.Available:
	case now.Nothing:
		m.Available, m.Reason = false, "servers pass, but have weight 0"
	case v.isRefused():
		m.Available, m.Reason = false, "the table refuses the servers that pass"
	}
	return m, up
}

// tells reports whether the operator's command or a channel receives the states of a virtual service.
func (t *teller) tells(v *virtual) bool {
	return v.Config.OnChange != "" || t.global.Channels != parser.Channels{}
}

// tellState reports the states of those virtual services that are in the table, except during a demotion.
func (m *marker) tellState(virtuals ...*virtual) {
	for _, v := range virtuals {
		if v.Known {
			m.tellWritten(v)
		}
	}
}

// tellWritten reports the state of a virtual service after a write, if it has changed. The table may have refused some
// of the servers. A service is not available until the rules that mark its packets are set. If the rules can't be
// changed later, it stays available.
func (m *marker) tellWritten(v *virtual) {
	t := &m.tell
	if _, known := v.Available(); m.demotion != nil || !t.tells(v) || !known {
		return
	}
	now, up := v.message(t.now())
	if now.Available && !v.reported.state.Available && !m.now().Has(v.Marks) {
		if m.trouble == "" {
			return // reported when the rules are set, or can't be set
		}
		now.Available, now.Reason = false, "mark rules can't be set: "+m.trouble
	}
	t.became(v, now, up, func() func() { return nil })
}

// leaving reports virtual services that are about to leave the table: those with cleanstop for which no other daemon
// waits. The result is true if the table must wait for a receiver.
func (t *teller) leaving(virtuals []*virtual, why string) (waits bool) {
	await := func() func() {
		waits = true
		return t.await()
	}
	for _, v := range virtuals {
		if !v.Goes() || !t.tells(v) || v.reported.state.Text != nil && !v.reported.state.Available {
			continue
		}
		now, up := v.message(t.now())
		now.Available, now.Reason = false, why
		t.became(v, now, up, await)
	}
	return waits
}

// became reports the new state of a virtual service, if it differs from the last report. Each receiver that takes the
// report calls await.
func (t *teller) became(v *virtual, now message, up int, await func() (done func())) {
	text, err := json.Marshal(now)
	if text = append(text, '\n'); err != nil || bytes.Equal(text, v.reported.state.Text) {
		return
	}
	c := Change{user: user{v: v}, Before: v.reported.state, Await: await}
	c.After.Report = notify.Report{Text: text, Available: now.Available, Up: up, Servers: len(now.Servers)}
	v.reported.state, c.Virtual = c.After, v.Config.ID
	t.tell(c)
}

// fallback reports to fallbackcommand whether a server is left: as soon as that is known, when the last server is lost,
// and when the first one is back.
func (t *teller) fallback(v *virtual) {
	up, known := v.Available()
	state := "stop"
	if !up || v.isRefused() {
		state = "start"
	}
	if v.Config.FallbackCommand == "" || !known || v.reported.fallback == state {
		return
	}
	c := Change{user: user{v: v}, Before: State{Fallback: v.reported.fallback}, After: State{Fallback: state}}
	v.reported.fallback, c.Virtual = state, v.Config.ID
	t.tell(c)
}
