package parser

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// Lines that share a packet are reported, others are not. The test compares each pair of lines.
func TestOverlapsAreThoseOfEachPairOfLines(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var src strings.Builder
		var lines []Marking
		for i := range 2 + random.IntN(3) {
			length := 28 + random.IntN(5)
			address := random.IntN(16) >> (32 - length) << (32 - length)
			protocol := markProtocols[random.IntN(len(markProtocols))]
			ports := allPorts
			if first := 1 + random.IntN(20); protocol != allPorts && first < 18 {
				ports = fmt.Sprintf("%d,%d:%d", first+30, first, first+random.IntN(5))
			}
			fmt.Fprintf(&src, "virtual=%d\n\tmark=192.0.2.%d/%d %s %s\n", i+1, address, length, protocol,
				ports)
		}
		cfg, found := parseText(t, src.String())
		for _, v := range cfg.Virtuals {
			lines = append(lines, v.Marking...)
		}
		told := map[int]bool{}
		for _, d := range found {
			told[int(d.Pos.Line)] = told[int(d.Pos.Line)] ||
				strings.HasPrefix(d.Text, "some of these packets also get mark")
		}
		want := false
		for i := range lines {
			for _, other := range lines[:i] {
				want = want || share(lines[i], other)
			}
		}
		if got := strings.Contains(fmt.Sprint(found), "some of these packets also get mark"); got != want {
			t.Fatalf("told: %v, want %v in\n%s%v", got, want, src.String(), found)
		}
		for i := range lines {
			alone := true
			for j := range lines {
				alone = alone && (i == j || !share(lines[i], lines[j]))
			}
			if alone && told[int(lines[i].At.Line)] {
				t.Fatalf("line %d shares no packet in\n%s%v", lines[i].At.Line, src.String(), found)
			}
		}
	}
}

func share(a, b Marking) bool {
	if !a.Dest.Overlaps(b.Dest) || a.Protocol != b.Protocol && a.Protocol != allPorts && b.Protocol != allPorts {
		return false
	}
	for _, p := range portsOrAll(a.Ports) {
		for _, q := range portsOrAll(b.Ports) {
			if p.First <= q.Last && q.First <= p.Last {
				return true
			}
		}
	}
	return false
}
