package judge

import "time"

// Memory is what the rules remember of a real server. It survives a reload and the daemon's exit. A change by hand that
// is kept clears it.
type Memory struct {
	Climbs time.Time `json:",omitzero"` // since when its weight climbs, see slowstart; zero: it does not

	Failed time.Time `json:",omitzero"` // since when checks keep it out, if OnFail is a time; else zero

	// Its way back into service, see holddown.
	Fallen    bool      `json:",omitzero"`          // checks took it out, and it is not let back in yet
	Noted     bool      `json:",omitzero"`          // Falls counts that failure
	Falls     uint8     `json:",omitzero"`          // failures in a row, each soon after the last return
	FellFirst time.Time `json:"FirstFall,omitzero"` // when the first of them was; zero: unknown
	Turn      time.Time `json:",omitzero"`          // until when it stays out; once it is in, when it was let in

	// For a server whose clients get no answers, see observe.
	Suspect  bool  `json:",omitzero"` // it was taken out for that, and is not let back in yet
	Suspects uint8 `json:",omitzero"` // how often it was taken out, with no answer in between
}

// Forgive forgets the failures of a server. The server then no longer waits to come back.
func (m *Memory) Forgive() { *m = Memory{Climbs: m.Climbs, Failed: m.Failed} }
