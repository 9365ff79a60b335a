package parser

import (
	"testing"

	"ldirectord/internal/testkit"
)

// watch applies to some checks of a section only.
func TestWhichChecksAreWatched(t *testing.T) {
	for _, row := range testkit.Table(t, "../testdata/parser/watch.txt", 3) {
		src := rowOf(row[0])
		holdWatch(t, "watch=5\n"+src, row[1] == "yes")
		holdWatch(t, src+"\twatch=5\n", row[2] == "yes")
		holdWatch(t, src+"\twatch=no\n", false)
		holdWatch(t, src+"\twatch=5\n\twatch=no\n", false)
	}
	holdWatch(t, "watch=yes\nvirtual=1\n\treal=192.0.2.2 masq\n\tchecktype=connect\n", false) // no port
}

func holdWatch(t *testing.T, src string, want bool) {
	t.Helper()
	v := mustParse(t, src).Virtuals[0]
	v.At = nil // the daemon forgets the positions
	testkit.Equal(t, v.Watches(&v.Reals[0]), want, src, "watched")
}
