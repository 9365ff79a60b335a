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
	const v4, v6 = "virtual=192.0.2.1:80", "virtual6=[2001:db8::1]:80"
	for _, tc := range []struct{ header, line, want string }{
		{v4, `real=192.0.2.2:81 masq 3`, `192.0.2.2:81 masq 3`},
		{v4, `real=web1:http ipip`, `10.1.0.1:80 ipip 1`},
		{v4, `real=under_score:split gate`, `10.1.0.60:7001 gate 1`},
		{v4, `real=192.0.2.2 gate 0`, `192.0.2.2:0 gate 0`},
		{v4, `real=192.0.2.2 gate 2147483647`, `192.0.2.2:0 gate 2147483647`},
		{v4, `real=192.0.2.2 gate "a","b"`, `192.0.2.2:0 gate 1 "/a" "b"`},
		{v4, `real=192.0.2.2 gate "GET 1", "HTTP 200"`, `192.0.2.2:0 gate 1 "/GET 1" "HTTP 200"`},
		{v4, `real=192.0.2.2 gate 5 "/a"  "say "hi" to # me" # comment`, `192.0.2.2:0 gate 5 "/a" "say \"hi\" to # me"`},
		{v4, `real=192.0.2.2 gate 5 "","" u:2 l:1`, `192.0.2.2:0 gate 5 "/" "" l:1 u:2`},
		{v4, `real=192.0.2.2 gate u:2 5 l:1 "a", "b"`, `192.0.2.2:0 gate 5 "/a" "b" l:1 u:2`},
		{v4, `real=192.0.2.255->192.0.3.1:80 gate 2`, `192.0.2.255:80 gate 2; 192.0.3.0:80 gate 2; 192.0.3.1:80 gate 2`},
		{v4, `real=web1->web3:http gate`, `10.1.0.1:80 gate 1; 10.1.0.2:80 gate 1; 10.1.0.3:80 gate 1`},
		{v4, `real=192.0.2.2->192.0.2.2:80 gate`, `192.0.2.2:80 gate 1`},
		{v6, `real6=[2001:DB8::2]:81 masq`, `[2001:db8::2]:81 masq 1`},
		{v6, `real6=web6a gate`, `[2001:db8:1::1]:0 gate 1`},
		{v6, `real6=dual:80 gate`, `[2001:db8:1::50]:80 gate 1`},
		{v6, `real6=[2001:db8::ffff]->[2001:db8::1:1]:80 gate`, `[2001:db8::ffff]:80 gate 1; [2001:db8::1:0]:80 gate 1; [2001:db8::1:1]:80 gate 1`},
		{v6, `real6=[2001:db8::ffff:ffff:ffff:ffff]->[2001:db8:0:1::]:80 gate`, `[2001:db8::ffff:ffff:ffff:ffff]:80 gate 1; [2001:db8:0:1::]:80 gate 1`},

		{v4, `real=192.0.2.2:80`, badRealSyntax},
		{v4, `real=192.0.2.2: gate`, badRealSyntax},
		{v4, `real=192.0.2.2->:80 gate`, badRealSyntax},
		{v4, `real=192.0.2.2:80->192.0.2.4:80 gate`, badRealSyntax},
		{v4, `real=192.0.2.2 nat`, badForward},
		{v4, `real=192.0.2.2 gate 1 2`, badRealTrailer},
		{v4, `real=192.0.2.2 gate 2147483648`, badRealTrailer},
		{v4, `real=192.0.2.2 gate l:1 l:2`, badRealTrailer},
		{v4, `real=192.0.2.2 gate l:4294967296`, badRealTrailer},
		{v4, `real=192.0.2.2 gate "a"`, badRealTrailer},
		{v4, `real=192.0.2.2 gate "a" , "b"`, badRealTrailer},
		{v4, `real=192.0.2.2 gate "a", "b", "c"`, badRealTrailer},
		{v4, `real=192.0.2.2 gate "a", "b" 5`, badRealTrailer},
		{v4, `real=192.0.2.2 gate "a", "b"l:5`, badRealTrailer},
		{v4, `real=192.0.2.300 gate`, realHost},
		{v4, `real=192.0.02.1 gate`, realHost},
		{v4, `real=web6a gate`, realHost},
		{v4, `real=[2001:db8::2] gate`, realHost},
		{v4, `real=192.0.2.2:65536 gate`, realPort},
		{v4, `real=192.0.2.4->192.0.2.2 gate`, badRealRange},
		{v4, `real=10.0.0.0->10.1.0.0 gate`, badRealRange},
		{v6, `real6=[::2]->[efff:ffff:ffff:ffff:ffff:ffff:ffff:ffff] gate`, badRealRange},
		{v6, `real6=[2001:db8::2 gate`, realHost},
		{v6, `real6=2001:db8::2 gate`, realHost},
		{v6, `real6=[::ffff:192.0.2.2] gate`, realHost},
		{v6, `real=192.0.2.2 gate`, familyMix},
		{v4, `fallback6=[::1]`, familyMix},
	} {
		v, err := parseOne(t, tc.header, tc.line)
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
		testkit.Equal(t, got, tc.want, tc.line)
	}
}

func TestRangesOfAFileAreBounded(t *testing.T) {
	var src strings.Builder
	src.WriteString("virtual=192.0.2.1:80\n\tservice=http\n")
	for i := range 6 {
		fmt.Fprintf(&src, "\treal=10.%d.0.0->10.%d.255.255:80 gate\n", i, i)
	}
	cfg, found := parseText(t, src.String())
	if cfg != nil || len(found.Errors()) != 1 || found.Errors()[0].Kind != tooLarge || found.Errors()[0].Pos.Line != 7 {
		t.Errorf("got %v", found.Errors())
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
