package lvs

import (
	"encoding/binary"
	"net/netip"
)

// shBuckets is the size of the scheduler's table (ip_vs_sh.c). shFactor is 2^32 divided by the square of the golden
// ratio (linux/hash.h, since Linux 4.7).
const (
	shBuckets = 256
	shFactor  = 0x61c88647
)

// SourceHash returns the destination that the scheduler sh chooses for a client's new connection, and whether the
// destination takes the connection. The destinations must be in the order of the kernel's list. The client's port has
// an effect only with sh-port. takes reports whether a destination is neither full nor at weight 0.
func SourceHash(all []Dest, flags Flags, client netip.AddrPort, takes func(Dest) bool) (d Dest, in bool) {
	if len(all) == 0 {
		return Dest{}, false
	}
	buckets := shTable(all)
	hash := shHash(client, flags&Sched2 != 0)
	d = buckets[hash]
	if takes(d) {
		return d, true
	}
	if flags&Sched1 == 0 {
		return d, false
	}
	for i := range shBuckets { // the kernel adds the hash twice
		if other := buckets[(2*hash+i)%shBuckets]; takes(other) {
			return other, true
		}
	}
	return d, false
}

// shTable gives each destination in turn as many buckets as its weight, but at least one.
func shTable(all []Dest) (buckets [shBuckets]Dest) {
	at, had := 0, uint32(0)
	for i := range buckets {
		buckets[i] = all[at]
		if had++; had >= all[at].Weight {
			at, had = (at+1)%len(all), 0
		}
	}
	return buckets
}

// shHash returns the bucket of a client.
func shHash(client netip.AddrPort, withPort bool) int {
	var sum uint32
	for addr := client.Addr().AsSlice(); len(addr) > 0; addr = addr[4:] {
		sum ^= binary.BigEndian.Uint32(addr)
	}
	if withPort {
		sum += uint32(client.Port())
	}
	return int(sum * shFactor >> 24)
}
