package judge

import (
	"fmt"
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
	set, taken := lvs.Timeouts{60, 120, 300}, map[lvs.Key]string{lvs.TimeoutsKey: "b.cf"}
	claimed := func(all Claims, timeouts lvs.Timeouts) string {
		keys := all.Wanted([]lvs.Key{webKey}, timeouts)
		return fmt.Sprint(len(keys), slices.Contains(keys, lvs.TimeoutsKey), all.HasTimeouts())
	}
	testkit.Equal(t, claimed(Claims{}, lvs.Timeouts{}), "1 false true", "the file has no timeouts")
	testkit.Equal(t, claimed(Claims{}, set), "2 true true", "it has some")
	testkit.Equal(t, claimed(Claims{Taken: taken}, set), "2 true false", "… and another daemon sets them")
	testkit.Equal(t, claimed(Claims{Standby: true}, set), "0 false false", "it stands by")
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
		testkit.Equal(t, all.Yielded[addr], want, owners, "its address is left to others")
	}
}
