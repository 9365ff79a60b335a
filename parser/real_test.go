package parser

import (
	"fmt"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// parseOne parses a section with one more line. It returns the section, or the first error.
func parseOne(t *testing.T, header, line string) (*Virtual, *Diagnostic) {
	t.Helper()
	src := header + "\n\t" + line + "\n\tservice=http\n"
	cfg, found := parse(t.Context(), "", []byte(src), options(t))
	if cfg == nil {
		return nil, &found.Errors()[0]
	}
	return cfg.Virtuals[0], nil
}

func describe(r Real) string {
	text := fmt.Sprintf("%s %s %d", r.Addr.String(), r.Forward, r.Weight)
	if r.Own != nil {
		text += fmt.Sprintf(" %q %q", r.Own.Request, r.Own.Receive)
	}
	if r.hasLower {
		text += fmt.Sprintf(" l:%d", r.Lower)
	}
	if r.hasUpper {
		text += fmt.Sprintf(" u:%d", r.Upper)
	}
	return text
}

func TestRealServers(t *testing.T) {
	for _, row := range testkit.Table(t, "../testdata/parser/real.txt", 3) {
		v, err := parseOne(t, usual[row[0]], row[1])
		got := ""
		if err != nil {
			got = err.Kind
		} else {
			var servers []string
			for _, r := range v.Reals {
				servers = append(servers, describe(r))
			}
			got = strings.Join(servers, "; ")
		}
		testkit.Equal(t, got, row[2], row[1])
	}
}

func TestWhatAnHTTPCheckAsksFor(t *testing.T) {
	for _, tc := range []struct{ section, want string }{
		{"real=192.0.2.2:80 gate\n\trequest=\"a\"", "http://192.0.2.2:80/a"},
		{"real=192.0.2.2:80 gate\n\trequest=\"//a\"", "http://192.0.2.2:80//a"},
		{"real=192.0.2.2:80 gate\n\tcheckport=81", "http://192.0.2.2:81/"},
		{"real=192.0.2.2 gate\n\tservice=https", "https://192.0.2.2:443/"},
		{"real=192.0.2.2 gate\n\tservice=none", "none://192.0.2.2:/"},
		{"real=192.0.2.2:80 gate \"/a\", \"b\"\n\trequest=\"c\"", "http://192.0.2.2:80/a"},
		{"real=192.0.2.2:80 gate \"http://w.example/a\", \"b\"", "http://w.example/a"},
		{"real=192.0.2.2:80 gate \"https://w.example/a\", \"b\"", "http://192.0.2.2:80/https://w.example/a"},
		{"real=192.0.2.2:80 gate\n\tservice=http_proxy\n\trequest=\"http://w.example/\"", "http://w.example/"},
	} {
		cfg, found := parseText(t, "virtual=192.0.2.1:80\n\t"+tc.section+"\n")
		if cfg == nil {
			t.Fatal(found)
		}
		testkit.Equal(t, cfg.Virtuals[0].URL(&cfg.Virtuals[0].Reals[0]), tc.want, tc.section)
	}
}
