package core

import (
	"testing"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
)

// Two lines of a section have one address and two checks. The waits and words of each line are recorded apart, also
// for the next daemon. The weight in the table belongs to the line that serves.
func TestTwoLinesOfOneAddressAreRecordedApart(t *testing.T) {
	made := func() *services {
		const file = "virtual = 10.0.0.1:80\n\tservice = http\n\tholddown = 30\n\tdrainstatus = 503\n" +
			"\treal = 10.1.0.1:80 masq 4 \"a\", \"ok\"\n\treal = 10.1.0.1:80 masq 9 \"b\", \"ok\"\n"
		p := planned(t, file)
		virtuals := virtualsOf(p)
		return &services{ours: virtuals, virtuals: virtuals, global: &p.Config.Global,
			tell: teller{clock: time.Now()}}
	}
	words := health.Words{Admin: health.Drain}
	for waits := range 2 {
		was, now := made(), made()
		v := was.ours[0]
		v.Servers[waits].Memory = judge.Memory{Fallen: true, Noted: true, Falls: 3,
			Turn: time.Now().Add(time.Minute)}
		v.Servers[waits].First.Telling = health.Tells(words)
		v.Servers[1-waits].Memory = judge.Memory{Turn: time.Now().Add(-time.Second)}
		v.Have = lvs.Dests{v.Servers[waits].Dest}
		before := movers{services: was}
		before.note(v)
		v.Have = lvs.Dests{v.Servers[1-waits].Dest} // the other line serves by now
		before.record(true)

		next := movers{services: now, records: before.records}
		for i := range now.ours[0].Servers {
			now.ours[0].Servers[i].Assume()
		}
		next.resume(lvs.Table{v.Key(): {Key: v.Key(), Dests: v.Have}})
		for i := range v.Servers {
			had, has := &v.Servers[i], &now.ours[0].Servers[i]
			if has.Memory != had.Memory || has.Asks() != had.Asks() {
				t.Errorf("line %d: %+v, %v; want %+v, %v", i, has.Memory, has.Asks(), had.Memory,
					had.Asks())
			}
		}
		if by := now.ours[0].ByHand; len(by) > 0 {
			t.Errorf("changed by hand: %v", by)
		}
	}
}
