package keepalived

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ldirectord/checker/perlre"
	"ldirectord/internal/testkit"
	"ldirectord/parser"
)

// file writes a keepalived.conf of a folder.
func file(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "k.conf")
	testkit.Write(t, path, text)
	return path
}

// service is a virtual server with lines of its own, and of its only real server.
func service(own, real string) string {
	return "virtual_server 192.0.2.1 80 {\nprotocol TCP\n" + own + "\nreal_server 10.0.0.1 80 {\n" + real +
		"\n}\n}\n"
}

// What is written, what a comment says, and what can't be understood.
func TestConversions(t *testing.T) {
	for i, part := range strings.Split(testkit.Read(t, "testdata/conversions.txt"), "\n\n") {
		if i == 0 {
			continue // it describes the file
		}
		title, text, _ := strings.Cut(part, "\n")
		name, missing, _ := strings.Cut(title, " | ")
		text, want, _ := strings.Cut(text, "\n→ ")
		if own, real, isService := strings.Cut(text, "server:"); isService {
			text = service(strings.TrimSpace(own), strings.TrimSpace(real))
		}
		converts(t, name, text+"\n", missing, strings.Split(strings.TrimSpace(want), "\n→ "))
	}
	carriage := strings.ReplaceAll(service("", "TCP_CHECK"), "\n", "\r\n")
	converts(t, "carriage returns", carriage, "", []string{"checktype = connect"})
	converts(t, "forged", service("sparkle \"a\u202eb\u009b\"", ""), "1",
		[]string{`# PATH:3: sparkle a\u202eb\u009b: no equivalent`})
	deep := strings.Repeat("a {\n", 100000)
	for text, want := range map[string]string{
		"a 'b":                                 `1:3: "'" is not allowed here: `,
		"a\x00b\n":                             `1:2: "\x00" is not allowed here`,
		"# caf\xe9\ncaf\xe9\n":                 `2:4: "\xe9" is not allowed here`,
		"\x7fELF\x02\x01":                      `1:1: "\x7f" is not allowed here`,
		strings.Repeat("# 10 MiB\n", 10<<20/9): "is larger than 4194304 bytes",
		doubled(40):                            "never ends when replaced",
		"virtual_server_group x {\n10.0.0.0/20 80\n}\n" +
			strings.Repeat(strings.Replace(service("", ""), "192.0.2.1 80", "group x", 1), 200): "must " +
			"have fewer and shorter sections",
		deep: "65:3: this { has no name before it, or is nested more than 64 deep",
	} {
		converts(t, want, text, "", []string{"error: PATH:", want})
	}
}

// converts converts a file. The result, or the error, has some parts, in this order.
func converts(t *testing.T, name, text, missing string, want []string) {
	t.Helper()
	path := file(t, text)
	result, n, err := Convert(path, "d1")
	if err != nil {
		result, n = "error: "+err.Error(), 0
	}
	result = strings.ReplaceAll(result, path, "PATH")
	rest := result
	for _, part := range want {
		_, after, found := strings.Cut(rest, strings.ReplaceAll(part, "↵", "\n"))
		if !found {
			t.Errorf("%s: no %q in\n%s", name, part, result)
		}
		rest = after
	}
	if missing == "" {
		missing = "0"
	}
	testkit.Equal(t, fmt.Sprint(n), missing, name, "lines that have no equivalent or differ")
}

// doubled defines parameters each of which has the one before twice.
func doubled(n int) string {
	text := "$A0=x\n"
	for i := range n {
		text += fmt.Sprintf("$A%d=${A%d}${A%d}\n", i+1, i, i)
	}
	return fmt.Sprintf("%s$A%d\n", text, n)
}

// Files that include each other don't go on without an end.
func TestIncludesInACircle(t *testing.T) {
	path := file(t, "include two.conf\n")
	two := filepath.Join(filepath.Dir(path), "two.conf")
	testkit.Write(t, two, "# one\ninclude k.conf\n")
	_, _, err := Convert(path, "")
	testkit.Fails(t, err, two+":2:9: "+path+" includes itself")
}

// Many lines without an equal take no more than a moment.
func TestManyLinesWithoutAnEqual(t *testing.T) {
	const lines = 200000
	_, missing, err := Convert(file(t, service(strings.Repeat("a\n", lines), "")), "")
	if err != nil || missing != lines {
		t.Errorf("%d, %v", missing, err)
	}
}

// ldirectord reads of the result what keepalived.conf says.
func TestMeaning(t *testing.T) {
	path := file(t, service("lb_kind TUN", `weight 7
		uthreshold 9
		retry 2
		delay_before_retry 4
		MISC_CHECK {
			misc_path "/bin/check -H 10.0.0.1 'two words'"
		}
		HTTP_GET {
			connect_port 81
			url {
				path '/a#b"c'
				regex '"up!": "\\d+#"'
				status_code 200 301-302
			}
		}`))
	text, missing, err := Convert(path, "")
	if err != nil || missing > 0 {
		t.Fatalf("%d, %v\n%s", missing, err, text)
	}
	config, found := parser.Parse(t.Context(), "", []byte(text), parser.Options{})
	if found.HasErrors() || len(config.Virtuals) != 1 {
		t.Fatalf("%v\n%s", found, text)
	}
	v := config.Virtuals[0]
	checks := v.Checks()
	got := fmt.Sprint(v.FailureCount, v.FastInterval, v.Reals[0].Weight, v.Reals[0].Upper, v.Reals[0].Forward, " ",
		v.Arguments("ADDRESS", "", "", "", ""),
		" ", checks[1].Request, " ", checks[1].Receive, " ", checks[1].HTTPStatus, " ", checks[1].CheckPort)
	testkit.Equal(t, got, `3 4 7 9 ipip [-H ADDRESS two words] /a#b"c "up!": "\d+\x23" 200,301-302 81`)
}

// regex_no_match becomes a pattern that matches what the other one does not.
func TestNoMatch(t *testing.T) {
	check := "HTTP_GET {\nurl {\npath /\nregex 'down|out$'\nregex_no_match\n}\n}"
	text, _, err := Convert(file(t, service("", check)), "")
	testkit.OK(t, err)
	config, _ := parser.Parse(t.Context(), "", []byte(text), parser.Options{})
	pattern := testkit.Must(perlre.Compile(config.Virtuals[0].Receive))(t)
	for page, want := range map[string]bool{"up": true, "": true, "out of order": true, "up\nor down": false,
		"down": false, "go out": false} {
		got := testkit.Must(pattern.Match([]byte(page), time.Minute, new(time.Duration)))(t)
		testkit.Equal(t, got, want, page)
	}
}

func FuzzConvert(f *testing.F) {
	for _, example := range testkit.Files(f, "../../cmd/ldirectord-import/testdata/*.conf") {
		text := testkit.Read(f, example)
		f.Add(text)
	}
	f.Add("$A= \\\n$B \\\n}\n$B=c {\n@d1 $A\n'\"' {}\n")
	path := file(f, "")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "include") {
			t.Skip("it would read files of this machine")
		}
		testkit.Write(t, path, text)
		written, missing, err := Convert(path, "d1")
		if err != nil {
			return
		}
		testkit.Equal(t, strings.Count(written, "\n# "+path+":"), missing, "comments", written)
		if _, found := parser.Parse(t.Context(), "", []byte(written), parser.Options{}); found.HasErrors() {
			t.Errorf("%v\n%s", found.Errors(), written)
		}
	})
}
