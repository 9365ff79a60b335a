package judge

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

var webKey = lvs.Key{Protocol: lvs.Mark, Mark: 1}

func TestWhoseAVirtualServiceIs(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/judge/claims.txt", 6) {
		standby := strings.HasPrefix(row[0], "standby")
		all := Claims{Standby: standby, Taken: map[lvs.Key]string{webKey: row[2]},
			Beside: map[lvs.Key]string{webKey: row[3]}, Yielded: map[netip.Addr]bool{}}
		c := Claim{Owner: row[1], Beside: "c.cf", LeftIn: true}
		gained := all.Assign(&c, webKey, netip.Addr{})
		testkit.Equal(t, c, Claim{row[4], row[3], standby}, row[0])
		testkit.Equal(t, word(gained, "taken over"), row[5], row[0])
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
