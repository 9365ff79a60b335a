package lvs

import "testing"

// The kernel's rule for full destinations is in ip_vs_bind_dest and ip_vs_unbind_dest in ip_vs_conn.c.
func TestFull(t *testing.T) {
	for _, c := range []struct {
		upper, lower, connections uint32
		was, full                 bool
	}{
		{0, 0, 1 << 31, false, false},
		{0, 0, 1 << 31, true, false}, // the limit was removed
		{0, 5, 9, true, false},
		{4, 0, 3, false, false},
		{4, 0, 4, false, true},
		{4, 0, 9, false, true},
		{4, 0, 3, true, true}, // three quarters are still used
		{4, 0, 2, true, false},
		{5, 0, 4, true, true}, // 4 * 4 is not below 5 * 3
		{5, 0, 3, true, false},
		{1, 0, 1, true, true},
		{1, 0, 0, true, false},
		{8, 2, 2, true, true},
		{8, 2, 1, true, false},
		{8, 2, 7, false, false},
		{8, 8, 8, true, true},
		{8, 8, 7, true, false},
		{1<<32 - 1, 0, 3 << 30, true, true}, // without an overflow
		{1<<32 - 1, 0, 3<<30 - 1, true, false},
	} {
		d := Dest{Upper: c.upper, Lower: c.lower}
		if full := d.Full(c.was, c.connections); full != c.full {
			t.Errorf("u:%d l:%d with %d connections, full before: %t: full %t", c.upper, c.lower,
				c.connections, c.was, full)
		}
	}
}
