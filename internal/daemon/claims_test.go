package daemon

import (
	"net/netip"
	"runtime"
	"testing"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
	"ldirectord/parser"
)

func TestKeySet(t *testing.T) {
	keys := []lvs.Key{{Mark: 3}, {Mark: 1}, {Mark: 3}, {Mark: 7}}
	set := newKeySet(keys)
	testkit.Same(t, set, (keySet{{Mark: 1}, {Mark: 3}, {Mark: 7}}), "set of", keys)
	if keys[0].Mark != 3 || !set.has(lvs.Key{Mark: 7}) || set.has(lvs.Key{Mark: 2}) ||
		newKeySet(nil).has(lvs.Key{}) {
		t.Errorf("wrong set of %v: %v", keys, set)
	}
}

// Only sections that set marks are compared with every virtual service of other daemons.
func TestWhichSectionsSetMarks(t *testing.T) {
	marks := &parser.Virtual{Marking: make([]parser.Marking, 1)}
	c := &claims{}
	for range 2 {
		c.renew(&parser.Config{Virtuals: []*parser.Virtual{{}, marks, {}}})
	}
	testkit.Same(t, c.marking, []*parser.Virtual{marks}, "the sections that set marks")
}

// TestClaimsTakeLittleMemory has a thousand virtual services without a servicename: their keys are kept, once.
func TestClaimsTakeLittleMemory(t *testing.T) {
	const services = 1000
	virtuals := make([]*parser.Virtual, services)
	keys := make([]lvs.Key, services)
	for i := range keys {
		keys[i].Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 80)
		virtuals[i] = &parser.Virtual{Key: keys[i]}
	}
	before := testkit.InUse()
	c := &claims{has: newKeySet(keys)}
	c.renew(&parser.Config{Virtuals: virtuals})
	if each := (testkit.InUse() - before) / services; each > 60 {
		t.Errorf("a virtual service takes %d bytes", each)
	}
	runtime.KeepAlive(virtuals)
	runtime.KeepAlive(keys)
	runtime.KeepAlive(c)
}
