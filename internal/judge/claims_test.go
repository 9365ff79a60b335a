package judge

import (
	"net/netip"
	"slices"
	"testing"

	"ldirectord/internal/lvs"
)

var webKey = lvs.Key{Protocol: lvs.Mark, Mark: 1}

// Whose a virtual service is after an answer, and whether it is taken over.
func TestWhoseAVirtualServiceIs(t *testing.T) {
	const other = "b.cf"
	for _, row := range []struct {
		what          string
		was           string
		standby       bool
		taken, beside string
		owner         string
		gained        bool
	}{
		{what: "nobody else has it"},
		{what: "another daemon waits for it", beside: other},
		{what: "another daemon has it", taken: other, beside: other, owner: other},
		{what: "… and still has it", was: other, taken: other, owner: other},
		{what: "… and a third one has it now", was: "c.cf", taken: other, owner: other},
		{what: "… and left it", was: other, gained: true},
		{what: "this director stands by", standby: true, owner: ActiveDirector},
		{what: "… and another daemon has it", standby: true, taken: other, owner: ActiveDirector},
		{what: "… and another daemon left it", was: other, standby: true, owner: ActiveDirector},
		{what: "this director is promoted", was: ActiveDirector},
		{what: "… and another daemon has it", was: ActiveDirector, taken: other, owner: other},
	} {
		all := Claims{Standby: row.standby, Taken: map[lvs.Key]string{webKey: row.taken},
			Beside: map[lvs.Key]string{webKey: row.beside}, Yielded: map[netip.Addr]bool{}}
		c := Claim{Owner: row.was, Beside: "c.cf", LeftIn: true}
		gained := all.Assign(&c, webKey, netip.Addr{})
		if want := (Claim{row.owner, row.beside, row.standby}); c != want || gained != row.gained {
			t.Errorf("%s: %+v, taken over %t; want %+v", row.what, c, gained, row)
		}
	}
}

// What a director leaves in the table: when it stops (goes), for the next plan (keeps), and on standby (leftIn).
func TestWhatADirectorLeavesInTheTable(t *testing.T) {
	for _, row := range []struct {
		what                         string
		remains                      bool
		claim                        Claim
		goes, keeps, mayBeIn, leftIn bool
	}{
		{what: "it is ours", goes: true, keeps: true, mayBeIn: true},
		{what: "… with cleanstop = no", remains: true, keeps: true, mayBeIn: true, leftIn: true},
		{what: "another daemon waits for it", claim: Claim{Beside: "b.cf"}, keeps: true, mayBeIn: true},
		{what: "… with cleanstop = no", remains: true, claim: Claim{Beside: "b.cf"}, keeps: true,
			mayBeIn: true},
		{what: "another daemon has it", claim: Claim{Owner: "b.cf", Beside: "b.cf"}},
		{what: "it stands by", claim: Claim{Owner: ActiveDirector}, goes: true},
		{what: "… with cleanstop = no", remains: true, claim: Claim{Owner: ActiveDirector}, keeps: true,
			leftIn: true},
		{what: "it was left there", claim: Claim{Owner: ActiveDirector, LeftIn: true}, goes: true,
			mayBeIn: true},
	} {
		c := inService(1)
		c.Remains, c.Claim = row.remains, row.claim
		goes, keeps, mayBeIn := c.Goes(), c.Keeps(), c.MayBeIn()
		if c.Left(); goes != row.goes || keeps != row.keeps || mayBeIn != row.mayBeIn ||
			c.LeftIn != row.leftIn {
			t.Errorf("%s: goes %t, keeps %t, may be in %t, leftIn %t; want %+v", row.what, goes, keeps,
				mayBeIn, c.LeftIn, row)
		}
	}
}

func TestWhatADirectorClaims(t *testing.T) {
	set, both := lvs.Timeouts{60, 120, 300}, []lvs.Key{webKey, lvs.TimeoutsKey}
	for _, row := range []struct {
		what     string
		all      Claims
		timeouts lvs.Timeouts
		want     []lvs.Key
		has      bool
	}{
		{what: "the file has no timeouts", want: both[:1], has: true},
		{what: "it has some", timeouts: set, want: both, has: true},
		{what: "… and another daemon sets them",
			all:      Claims{Taken: map[lvs.Key]string{lvs.TimeoutsKey: "b.cf"}},
			timeouts: set, want: both},
		{what: "it stands by", all: Claims{Standby: true}, timeouts: set},
	} {
		got := row.all.Wanted([]lvs.Key{webKey}, row.timeouts)
		if has := row.all.HasTimeouts(); !slices.Equal(got, row.want) || has != row.has {
			t.Errorf("%s: %v, sets them %t; want %v", row.what, got, has, row.want)
		}
	}
}

// No check goes through an address if other daemons have all its virtual services. Those of a standby are not theirs.
func TestAddressesThatAreLeftToOthers(t *testing.T) {
	addr := netip.MustParseAddr("192.0.2.10")
	for owners, want := range map[string]bool{"---": false, "b--": false, "--b": false, "-b-": false, "bbb": true} {
		all := Claims{Standby: true, Taken: map[lvs.Key]string{}, Yielded: map[netip.Addr]bool{}}
		for i, owner := range owners {
			key := lvs.Key{Mark: uint32(i)}
			if owner == 'b' {
				all.Taken[key] = "b.cf"
			}
			all.Assign(&Claim{}, key, addr)
		}
		if all.Yielded[addr] != want {
			t.Errorf("%s: its address is left to others: %t", owners, !want)
		}
	}
}
