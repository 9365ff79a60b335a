package parser

import (
	"fmt"
	"strings"
	"testing"
)

// farm is a configuration of n virtual services with as many real servers each.
func farm(n, servers int) []byte {
	var b strings.Builder
	b.WriteString("checktimeout=3\ncheckinterval=1\nautoreload=yes\nquiescent=yes\n")
	for i := range n {
		fmt.Fprintf(&b, "\nvirtual=10.%d.%d.%d:80\n", 100+i>>16, i>>8&255, i&255)
		for j := range servers {
			fmt.Fprintf(&b, "\treal=10.%d.%d.%d:80 gate 1\n", 10+j, i>>8&255, i&255)
		}
		b.WriteString("\tservice=http\n\trequest=\"index.html\"\n\treceive=\"OK\"\n\tscheduler=wlc\n" +
			"\tprotocol=tcp\n\tchecktype=negotiate\n")
	}
	return []byte(b.String())
}

func benchmarkParse(b *testing.B, virtuals, servers int) {
	benchmarkParseOf(b, farm(virtuals, servers), virtuals)
}

func benchmarkParseOf(b *testing.B, src []byte, virtuals int) {
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		cfg, found := parse(b.Context(), "ldirectord.cf", src, Options{})
		if cfg == nil || len(cfg.Virtuals) != virtuals {
			b.Fatal(found.Errors()[0])
		}
	}
}

func BenchmarkParse1000x4(b *testing.B) { benchmarkParse(b, 1000, 4) }

func BenchmarkParse5000x4(b *testing.B) { benchmarkParse(b, 5000, 4) }

func BenchmarkParse500x20(b *testing.B) { benchmarkParse(b, 500, 20) }
