package judge

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
)

// The protocol of a write, as a table that answers, refuses, has lost an entry or does not answer: what is sent, batch
// after batch, and what is known then. Of the first virtual service server 1 serves at first, and servers 2 to 4 are to
// serve instead of it; of the second one only server 1.
func TestWhatIsSentAfterWhichAnswer(t *testing.T) {
	oops := errors.New("oops")
	for _, row := range []struct {
		what    string
		state   health.State // of server 1
		refuses string       // the operation with another answer
		answer  Answer
		edited  bool   // the settings change, too
		want    string // what is sent; batches are separated by |
		have    string // then known of the first service
		err     bool
	}{
		{what: "all is done", state: health.Down, have: "2:1 3:1 4:1",
			want: "-a A2 -a A3 -a A4 -a B1 | -d A1"},
		{what: "an addition is refused, and the other server is up", state: health.Up, refuses: "-a A3",
			answer: Refused,
			want:   "-a A2 -a A3 -a A4 -a B1", have: "1:1 2:1 4:1", err: true},
		{what: "… and the other server is down", state: health.Down, refuses: "-a A3", answer: Refused,
			want: "-a A2 -a A3 -a A4 -a B1 | -d A1", have: "2:1 4:1", err: true},
		{what: "an addition has no answer", state: health.Down, refuses: "-a A3", answer: Unanswered,
			want: "-a A2 -a A3 -a A4 -a B1", have: "1:1 2:1 4:1", err: true},
		{what: "the service is missing", state: health.Down, refuses: "-a A3", answer: Missing,
			want: "-a A2 -a A3 -a A4 -a B1", have: "1:1 2:1 4:1", err: true},
		{what: "a removal is refused", state: health.Down, refuses: "-d A1", answer: Refused,
			want: "-a A2 -a A3 -a A4 -a B1 | -d A1", have: "1:1 2:1 3:1 4:1", err: true},
		{what: "new settings", state: health.Down, edited: true, have: "2:1 3:1 4:1",
			want: "-E A | -a A2 -a A3 -a A4 -a B1 | -d A1"},
		{what: "new settings are refused", state: health.Down, edited: true, refuses: "-E A", answer: Refused,
			have: "2:1 3:1 4:1",
			want: "-E A | -a A2 -a A3 -a A4 -a B1 | -d A1"},
		{what: "new settings have no answer", state: health.Down, edited: true, refuses: "-E A",
			answer: Unanswered, have: "1:1",
			want: "-E A | -a B1", err: true},
	} {
		t.Run(row.what, func(t *testing.T) {
			one, two := inService(1, 1, 1, 1), inService(1)
			for n := byte(2); n <= 4; n++ {
				one.Have.Remove(at(n))
			}
			two.Have.Remove(at(1))
			one.says(0, row.state)
			a, b := virtualService(1, one.Have), virtualService(2, two.Have)
			want, there := virtualService(1, nil), virtualService(2, nil)
			for i, m := range one.Members {
				if i > 0 {
					want.Dests.Put(m.Dest)
				}
			}
			there.Dests.Put(two.Members[0].Dest)
			if row.edited {
				want.Settings.Scheduler = "wlc"
			}
			first, second := NewWrite(&one, a, want), NewWrite(&two, b, there)
			sent := sendAll(NewWrites([]*Write{first, second}), func(op string) Outcome {
				if op == row.refuses {
					return Outcome{row.answer, oops}
				}
				return Outcome{}
			})
			if sent != row.want || serversIn(one.Have) != row.have {
				t.Errorf("sent %s\nwant %s\nknown is %s, want %s", sent, row.want, serversIn(one.Have),
					row.have)
			}
			if (first.Err != nil) != row.err || (first.Answer == Missing) != (row.answer == Missing) ||
				second.Err != nil {
				t.Errorf("%+v; of the other service %v", first.Outcome, second.Err)
			}
			refused := row.edited && row.answer == Refused
			if isOld := first.Written == a.Settings; (first.Refused != nil) != refused ||
				isOld != (!row.edited || row.refuses != "") {
				t.Errorf("the settings are %v, %v", first.Written, first.Refused)
			}
			if refused && first.Want.Settings != a.Settings {
				t.Errorf("wanted are still %v", first.Want.Settings)
			}
		})
	}
}

// A table that is silent gets nothing more of a service, in this round and in the later ones.
func TestNothingIsSentToASilentTable(t *testing.T) {
	c := sectionWith("servers=1/1, 2 absent")
	want := virtualService(1, nil)
	want.Dests.Put(c.Members[1].Dest)
	one := NewWrite(&c, virtualService(1, c.Have), want)
	writes := NewWrites([]*Write{one})
	if n := len(writes.Next()); n != 1 {
		t.Fatalf("%d operations", n)
	}
	silent := errors.New("silent")
	writes.Skip(silent)
	if n := len(writes.Next()); n != 0 || one.Err != silent || serversIn(c.Have) != "1:1" {
		t.Errorf("%d operations more; %v; %s", n, one.Err, serversIn(c.Have))
	}
}

// Operations are sent in batches, and each batch waits for the answers to the one before. More removals than a batch
// are sent from the last one on.
func TestAWriteIsSentInBatches(t *testing.T) {
	for _, row := range []struct {
		n                 int
		batches           string
		firstOut, lastOut byte
	}{
		{lvs.Batch, "64", 1, lvs.Batch},
		{2*lvs.Batch + 1, "64 64 1", 2*lvs.Batch + 1, 1},
	} {
		c := inService(make([]uint32, row.n)...)
		writes := NewWrites([]*Write{NewWrite(&c, virtualService(1, c.Have), virtualService(1, nil))})
		var sizes []string
		var all []lvs.Op
		for ops := writes.Next(); len(ops) > 0; ops = writes.Next() {
			sizes, all = append(sizes, fmt.Sprint(len(ops))), append(all, ops...)
			for i := range ops {
				writes.Answered(i, Outcome{})
			}
		}
		if strings.Join(sizes, " ") != row.batches || all[0].Dest.Addr != at(row.firstOut) ||
			all[row.n-1].Dest.Addr != at(row.lastOut) {
			t.Errorf("%d removals: %v, from %v to %v", row.n, sizes, all[0].Dest.Addr,
				all[row.n-1].Dest.Addr)
		}
	}
}

// virtualService has the mark n.
func virtualService(n uint32, dests lvs.Dests) lvs.VirtualService {
	return lvs.VirtualService{Key: lvs.Key{Protocol: lvs.Mark, Mark: n},
		Settings: lvs.Settings{Scheduler: "rr"}.Stored(false),
		Dests:    append(lvs.Dests{}, dests...)}
}

// serversIn are the servers of a table, and their weights.
func serversIn(have lvs.Dests) string {
	var all []string
	for _, d := range have {
		all = append(all, fmt.Sprintf("%d:%d", d.Addr.Addr().As4()[3], d.Weight))
	}
	return strings.Join(all, " ")
}

// sendAll sends all operations, and returns them with the services A and B, and the numbers of their servers.
func sendAll(writes *Writes, answer func(op string) Outcome) string {
	var batches []string
	for ops := writes.Next(); len(ops) > 0; ops = writes.Next() {
		var sent []string
		for i, op := range ops {
			text := strings.Fields(op.String())[0] + " " + string(rune('A'+op.Key.Mark-1))
			if op.Kind >= lvs.AddDest {
				text += fmt.Sprint(op.Dest.Addr.Addr().As4()[3])
			}
			sent = append(sent, text)
			writes.Answered(i, answer(text))
		}
		batches = append(batches, strings.Join(sent, " "))
	}
	return strings.Join(batches, " | ")
}
