package lvs

import (
	"fmt"
	"testing"

	"ldirectord/internal/testkit"
)

// The kernel's rule for full destinations is in ip_vs_bind_dest and ip_vs_unbind_dest in ip_vs_conn.c.
func TestFull(t *testing.T) {
	for _, row := range testkit.Table(t, "testdata/full.txt", 5) {
		var d Dest
		var connections uint32
		testkit.Must(fmt.Sscan(row[0]+" "+row[1], &d.Upper, &d.Lower, &connections))(t, row)
		testkit.Equal(t, d.Full(row[2] == "full", connections), row[3] == "full", row)
	}
}
