package parser

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"ldirectord/internal/testkit"
)

// For every input there is no panic, there is a configuration or an error, positions are inside of the file, messages
// are printable, and a file that Strict accepts means the same without Strict.
func FuzzParse(f *testing.F) {
	for _, file := range testkit.Files(f, filepath.Join(testdata, "*.cf")) {
		src := testkit.Must(os.ReadFile(file))(f)
		f.Add(src)
	}
	f.Add([]byte("virtual6=[2001:db8::1]:80\n\treal6=[::1]->[::f]:80 gate 1 \"a\", \"b\" l:1 u:2\n" +
		"\tfallback6=::1:80 ipip\n"))
	f.Add([]byte("include = d/*\ncheckdef = web\n\tservice = http\n\trequest = \"ok\"\ndefaults = a\n\tuse = b\n" +
		"virtual=192.0.2.1:80\n" +
		"\trealfile = /x gate\n\trealnames = b:80 masq\n\tservice = web\n\talsocheck = web 81\n" +
		"\talsofallback = 192.0.2.2\n"))
	o := options(f)
	strict := o
	strict.Strict = true
	f.Fuzz(func(t *testing.T, src []byte) {
		cfg, found := parse(t.Context(), "fuzz.cf", src, o)
		if (cfg == nil) != found.HasErrors() {
			t.Fatalf("a configuration: %v; errors: %v", cfg != nil, found.Errors())
		}
		checkPlaces(t, src, found)
		checkText(t, src, found)
		again, errs := parse(t.Context(), "fuzz.cf", src, strict)
		if again == nil {
			if cfg != nil && len(errs) == 0 {
				t.Fatal("Strict refuses without a reason")
			}
			return
		}
		if cfg == nil {
			t.Fatalf("only Strict accepts: %v", found.Errors())
		}
		if a, b := marshal(t, cfg), marshal(t, again); !bytes.Equal(a, b) {
			t.Fatalf("Strict reads %s, else %s", b, a)
		}
	})
}

func marshal(t *testing.T, cfg *Config) []byte {
	return testkit.Must(json.Marshal(cfg))(t)
}

func checkPlaces(t *testing.T, src []byte, found Diagnostics) {
	source := strings.Split(strings.TrimPrefix(string(src), "\ufeff"), "\n")
	for _, d := range found {
		for _, pos := range []Position{d.Pos, d.cause} {
			if pos.Line == 0 || pos.File != "fuzz.cf" {
				continue
			}
			if pos.Line < 1 || int(pos.Line) > len(source) || pos.Column < 1 ||
				int(pos.Column) > len(source[pos.Line-1])+1 {
				t.Fatalf("%v is not in the file: %s", pos, d)
			}
		}
	}
}

func checkText(t *testing.T, src []byte, found Diagnostics) {
	var b strings.Builder
	for _, d := range found {
		b.WriteString(d.Render(src))
	}
	bad := strings.IndexFunc(b.String(), func(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsPrint(r) })
	if bad >= 0 {
		t.Fatalf("a message holds %q", b.String()[bad:min(bad+8, b.Len())])
	}
}
