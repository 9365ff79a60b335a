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

const twoPages = "HTTP_GET {\nurl {\npath /a\n}\nurl {\npath /b\n}\n}"

// group is a group of virtual services with a server that two pages check.
func group(services string) string {
	return "virtual_server_group WEB {\n" + services + "\n}\n" +
		strings.Replace(service("", twoPages), "192.0.2.1 80", "group WEB", 1)
}

// What can't be understood is told with its place.
func TestErrors(t *testing.T) {
	deep := strings.Repeat("a {\n", 100000)
	for name, c := range map[string]struct{ text, want string }{
		"an open block":          {"a {\nb {\n}\n", `1:1: the block of "a" is not closed`},
		"a block too many":       {"a {\n}\n  }\n", "3:3: this } closes no block"},
		"a block of nothing":     {"{\n}\n", "1:1: this { has no name"},
		"two blocks of a line":   {"a {\n}\n{\n}\n", "3:1: this { has no name"},
		"deep":                   {deep, "65:3: this { has no name before it, or is nested more than 64 deep"},
		"an open quote":          {"a b\n  c \"d\n", `2:5: "\"" is not allowed here: `},
		"an open single quote":   {"a 'b", `1:3: "'" is not allowed here: `},
		"binary":                 {"a\x00b\n", `1:2: "\x00" is not allowed here`},
		"a tab in quotes":        {"a 'b\tc'\n", `1:3: "'" is not allowed here`},
		"Latin-1":                {"# caf\xe9\ncaf\xe9\n", `2:4: "\xe9" is not allowed here`},
		"a program":              {"\x7fELF\x02\x01", `1:1: "\x7f" is not allowed here`},
		"large":                  {strings.Repeat("# 10 MiB\n", 10<<20/9), "is larger than 4194304 bytes"},
		"itself":                 {"\n include k.conf\n", "includes itself"},
		"no such file":           {"include none.conf\n", "1:9: reading the file: open "},
		"a definition of itself": {"$A=x${A}\n$A\n", "2:1: ${A} is replaced without an end"},
		"lines of themselves":    {"$A= \\\n b\\\n $A\\\n c\n$A\n", "5:1: $A is replaced without an end"},
		"doubled each time":      {doubled(40), "is replaced without an end"},
		"sequences":              {"~SEQ(A, 1, 3) a\n", "1:1: ~SEQ and ~LST are not read here"},
		"no address": {"virtual_server web 80 {\n}\n",
			`1:1: "web 80" must have an address, a network`},
		"nothing":        {"virtual_server\n", `1:1: "virtual_server" must have an address`},
		"no group":       {"virtual_server group x {\n}\n", "must have 1 to 4096 addresses"},
		"an empty group": {"virtual_server_group x {\n}\nvirtual_server group x {\n}\n", "3:1: "},
		"a large group": {"virtual_server_group x {\n10.0.0.0/8 80\n}\nvirtual_server group x {\n}\n",
			"1 to 4096"},
		"a range of families": {"virtual_server_group x {\n10.0.0.1-::2 80\n}\nvirtual_server group x {\n}\n",
			"4:1: "},
		"a range backwards": {"virtual_server_group x {\n10.0.0.9-1 80\n}\nvirtual_server group x {\n}\n",
			"2:1: "},
		"no network": {"virtual_server_group x {\n10.0.0.1/24 80\n}\nvirtual_server group x {\n}\n",
			"2:1: "},
		"a server by name": {strings.ReplaceAll(service("", ""), "10.0.0.1", "web1"),
			`4:1: "real_server web1 80" must have an address`},
		"no server": {"virtual_server 192.0.2.1 80 {\nreal_server {\n}\n}\n", "2:1: "},
		"no method": {service("lb_kind FNAT", ""), `3:1: "lb_kind FNAT" must have NAT, DR or TUN`},
		"no number": {service("delay_loop soon", "TCP_CHECK"),
			`3:1: "delay_loop soon" must have a number from 0`},
		"a negative number": {service("", "TCP_CHECK {\nretry -1\n}"), `6:1: "retry -1" must have`},
		"not a number": {service("", "TCP_CHECK {\nconnect_timeout NaN\n}"),
			`6:1: "connect_timeout NaN" must have`},
		"no program": {service("", "MISC_CHECK {\n}"), `5:1: "MISC_CHECK" must have a misc_path`},
		"no page":    {service("", "HTTP_GET {\n}"), `5:1: "HTTP_GET" must have a url`},
		"a blank program": {service("", "MISC_CHECK {\nmisc_path ' '\n}"),
			`5:1: "MISC_CHECK" must have a misc_path`},
		"many sections of much": {"virtual_server_group x {\n10.0.0.0/20 80\n}\n" +
			strings.Repeat(strings.Replace(service("", ""), "192.0.2.1 80", "group x", 1), 200),
			"must have fewer and shorter sections"},
	} {
		path := file(t, c.text)
		_, _, err := Convert(path, "d1")
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), path+":") {
			t.Errorf("%s: %v\nwant %s", name, err, c.want)
		}
	}
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
	if _, _, err := Convert(path, ""); err == nil || err.Error() != two+":2:9: "+path+" includes itself" {
		t.Error(err)
	}
}

// What is written, and what a comment says.
func TestLines(t *testing.T) {
	const page = "HTTP_GET {\nurl {\npath /\n%s\n}\n}"
	for name, c := range map[string]struct {
		text    string
		missing int
		want    string // lines that are in the result, in this order
	}{
		"comments": {service("lb_algo rr!comment", "weight 2#comment"), 0,
			"scheduler = rr|real = 10.0.0.1:80 masq 2"},
		"quotes": {service("", fmt.Sprintf(page, `regex '"up": "(y|e)s{1}!#" '`)), 0,
			`receive = ""up": "(y|e)s{1}!\x23" "`},
		"backslashes": {service("", fmt.Sprintf(page,
			`regex "^o\\w$ '\"\'\/\n\x0a\cM#\#\\#\\\\#" # "`)), 0,
			`receive = "^o\w$ '"'/\n\x0a\cM\x23\x23\x23\\\x23"`},
		"backslashes in single quotes": {service("", fmt.Sprintf(page, `regex '^o\\w\'"$\\\\'`)), 0,
			`receive = "^o\w'"$\\"`},
		"backslashes without quotes": {service("", fmt.Sprintf(page, `regex ^o\\w$`)), 0,
			`receive = "^o\w$"`},
		"backslashes that are lost": {service("", fmt.Sprintf(page, `regex "^\\d+\.\d$"`)), 1,
			`# PATH:8: regex "^\\d+\.\d$": differs: keepalived takes the backslash out of \.; here it ` +
				`stays|receive = "^\d+\.\d$"`},
		"the last one counts": {service("lb_algo rr\nlb_algo lc", ""), 0, "scheduler = lc"},
		"usual values": {service("", "TCP_CHECK"), 0,
			"protocol = tcp|scheduler = wlc|checkinterval = 60|failurecount = 2|fastinterval = " +
				"1|checktype = connect|checktimeout = 5|real = 10.0.0.1:80 masq 1"},
		"a block in the next line": {strings.ReplaceAll(service("", "TCP_CHECK"), "80 {", "80\n{"), 0,
			"checktype = connect"},
		"no blank before it": {strings.ReplaceAll(service("", "TCP_CHECK"), "80 {", "80{"), 0,
			"checktype = connect"},
		"all in one line": {service("", "weight 3 } real_server 10.0.0.2 80 { weight 2"), 0,
			"real = 10.0.0.1:80 masq 3|real = 10.0.0.2:80 masq 2"},
		"carriage returns": {strings.ReplaceAll(service("", "TCP_CHECK"), "\n", "\r\n"), 0,
			"checktype = connect"},
		"older names": {
			service("lvs_sched rr\nlvs_method DR", "TCP_CHECK {\nnb_get_retry 4\n}"), 0,
			"scheduler = rr|failurecount = 5|gate 1"},
		"a pattern that is not for bytes": {service("", fmt.Sprintf(page, `regex "\\p{L}"`)), 1,
			`regex "\\p{L}": no equal; \p{L}: properties are not supported|service = http|real = `},
		"the flag of another scheduler": {service("mh-port\nflag-1", "TCP_CHECK"), 1,
			`PATH:3: mh-port: no equal; scheduler flag "mh-port" is for scheduler mh, not wlc` +
				"|schedflags = flag-1\n"},
		"the innermost": {
			service("retry 1\nconnect_timeout 9", "retry 2\nTCP_CHECK {\nretry 3\n}"), 0,
			"failurecount = 4|checktimeout = 9"},
		"a later retry": {service("delay_loop 5\ndelay_before_retry 7", "TCP_CHECK"), 0,
			"failurecount = 2|checktype"},
		"a port": {service("", "TCP_CHECK {\nconnect_port 81\n}"), 0,
			"checkport = 81"},
		"the same port": {service("", "TCP_CHECK {\nconnect_port 80\n}"), 0,
			"failurecount = 2|fastinterval = 1|checktype"},
		"no port": {
			"virtual_server 192.0.2.1 {\nprotocol TCP\npersistence_timeout\nreal_server 10.0.0.1 {\n}\n}",
			0, "virtual = 192.0.2.1:0|persistent = 360|real = 10.0.0.1 masq 1"},
		"one address per word": {
			service("", "MISC_CHECK {\nmisc_path \"/x 10.0.0.1:80 110.0.0.1 10.0.0.12 -H10.0.0.1 a\"\n}"),
			0, `checkargs = "{address}:80 110.0.0.1 10.0.0.12 -H10.0.0.1 a"`},
		"no arguments": {service("delay_loop 9", "MISC_CHECK {\nmisc_path /x\n}"), 0,
			`failurecount = 1|checktype = external|checkcommand = "/x"|checktimeout = 9`},
		"a program with blanks": {service("", "MISC_CHECK {\nmisc_path \"'/my x' -u '' 'a b'\"\n}"),
			0, `checkcommand = "/my x"|checkargs = "-u "" "a b""`},
		"quotes in quotes": {service("", `MISC_CHECK {
			misc_path '/bin/sh -c "it is  0"'
			}`), 0, `checkcommand = "/bin/sh"|checkargs = "-c "it is  0""`},
		"quotes after a backslash": {service("", `MISC_CHECK {
			misc_path "/bin/sh -c \"exit 0\""
			}`), 1, `# PATH:6: misc_path "/bin/sh -c \"exit 0\"": differs: it is read as by keepalived ` +
			`before 2.3.2|checkcommand = "/bin/sh"|checkargs = "-c "exit 0""`},
		"a program with a backslash": {service("", `MISC_CHECK {
			misc_path "/x \d"
			}`), 1, `# PATH:6: misc_path "/x \d": no equal; a \ can't be written; no check is made ` +
			"in its place|checktype = on"},
		"a quote in a word of a program": {service("", `MISC_CHECK {
			misc_path "/x 'a\"b'"
			}`), 1, `no equal; a " can't be written|checktype = on`},
		"an open quote in a program": {service("", `MISC_CHECK {
			misc_path "/x it's"
			}`), 1, `no equal; a ' can't be written|checktype = on`},
		"words of a program": {service("", "MISC_CHECK {\nmisc_path /x \"a b\" c\n}"), 0,
			`checkcommand = "/x"|checkargs = ""a b" c"`},
		"hysteresis": {service("quorum 1\nhysteresis 3", ""), 0,
			"scheduler = wlc|checktype = on"},
		"inhibited": {service("inhibit_on_failure", ""), 0, "quiescent = yes"},
		"not inhibited": {service("inhibit_on_failure", "inhibit_on_failure no"), 0,
			"scheduler = wlc|checktype = on"},
		"an unknown word": {service("sparkle 3", ""), 1, "# PATH:3: sparkle 3: no equal"},
		"in a checker": {service("", "TCP_CHECK {\nbindto 10.0.0.9\n}"), 1,
			"# PATH:6: bindto 10.0.0.9: no equal"},
		"braces that are no placeholder": {service("", `MISC_CHECK {
			misc_path "/usr/bin/curl -s -o /dev/null -w %{http_code} http://10.0.0.1/"
			}
			TCP_CHECK`), 1, `http://10.0.0.1/": no equal; a {http_code} can't be written; no check is ` +
			"made in its place|virtual = 192.0.2.1:80|checktype = connect"},
		"braces that would be a placeholder": {service("", "MISC_CHECK {\nmisc_path '/x {port}'\n}"), 1,
			"no equal; a {port} can't be written; no check is made in its place|" +
				"virtual = 192.0.2.1:80|checktype = on"},
		"braces with blanks, as of a shell": {service("", `MISC_CHECK {
			misc_path "/bin/sh -c 'x || { y; }'"
			}`), 0, `checkargs = "-c "x || { y; }""`},
		"a # after quotes": {service("", "HTTP_GET {\nurl {\npath '/a\"b#c'\n}\n}"), 1,
			"# PATH:1: virtual_server 192.0.2.1 80: no equal; virtual = 192.0.2.1:80 is left out: " +
				"ldirectord would read its #"},
		"a # without quotes": {service("lb_algo 'rr#'", ""), 1, "# PATH:1: virtual_server"},
		"a mark before an address": {group("fwmark 7\n192.0.2.1 80"), 0,
			"virtual = 192.0.2.1:80|protocol = tcp|service = http|real = 10.0.0.1:80 masq|" +
				"checkdef = http-2|checkport = 80|request = \"/b\"|" +
				"virtual = 7|protocol = fwm|checkport = 80|alsocheck = http-2|real = 10.0.0.1 masq"},
		"a mark that is left out": {group("192.0.2.1 80\nfwmark x"), 1,
			"virtual = 192.0.2.1:80|" +
				"# PATH:5: virtual_server group WEB: no equal; virtual = x is left out: ldir"},
		"no server": {"virtual_server_group a {\n192.0.2.1-2 80\n}\nvirtual_server group a {\n}", 2,
			"no equal; virtual = 192.0.2.1:80 is left out: a section needs a real server|" +
				"no equal; virtual = 192.0.2.2:80 is left out: a section needs a real server"},
		"a service twice": {service("", "") + service("", ""), 1,
			"# PATH:8: virtual_server 192.0.2.1 80: no equal; virtual = 192.0.2.1:80 is left out: the ser"},
		"UDP_CHECK": {service("", "UDP_CHECK {\npayload 00\n}"), 1,
			"# PATH:5: UDP_CHECK: differs: the servers are pinged in its place|checktype = ping"},
		"UDP_CHECK after another check": {service("", "DNS_CHECK\n}\nreal_server 10.0.0.2 80 {\nUDP_CHECK"), 1,
			"# PATH:8: UDP_CHECK: differs: its server gets the check of the first server: dns|" +
				"service = dns"},
		"two pages in place of a connection": {
			service("", twoPages+"\n}\nreal_server 10.0.0.2 80 {\nTCP_CHECK"), 1,
			"# PATH:14: real_server 10.0.0.2 80: differs: it has more or fewer checks, and gets those " +
				"of the first server: http, http"},
		"no check in its place": {service("", "}\nreal_server 10.0.0.2 80 {\nTCP_CHECK"), 1,
			", and gets those of the first server: none|checktype = on"},
		"without protocol": {strings.Replace(service("", "DNS_CHECK"), "protocol TCP\n", "", 1), 0,
			"protocol = udp"},
		"a connection after another check over UDP": {strings.Replace(service("",
			"DNS_CHECK\n}\nreal_server 10.0.0.2 80 {\nTCP_CHECK"), "TCP", "UDP", 1), 1,
			"# PATH:8: TCP_CHECK: differs: its server gets the check of the first server: dns"},
		"a connection over UDP": {strings.Replace(service("", "TCP_CHECK"), "TCP", "UDP", 1), 1,
			"# PATH:5: TCP_CHECK: differs: connect pings the servers|checktype = connect"},
		"misc_dynamic": {service("", "MISC_CHECK {\nmisc_path /x\nmisc_dynamic\n}"), 1,
			"# PATH:5: MISC_CHECK: differs: misc_dynamic becomes externalweight|externalweight = yes"},
		"no misc_dynamic": {service("", "MISC_CHECK {\nmisc_path /x\nmisc_dynamic no\n}"), 0,
			"checktimeout = 60|real"},
		"an extra value": {service("lb_algo rr lc", ""), 1,
			"# PATH:3: lb_algo rr lc: differs: only its first value is taken|scheduler = rr"},
		"forged": {service("sparkle \"a\u202eb\u009b\"", ""), 1,
			`# PATH:3: sparkle a\u202eb\u009b: no equal`},
		"only VRRP": {"vrrp_instance a {\n}\nvrrp_script b {\n}\nvrrp_instance c {\n}\n",
			0, "# Left to keepalived: vrrp_instance, vrrp_script\n"},
		"another director": {"@d2 foo\n@^d1 foo\n@d1 one\n@^d2 two\n", 0,
			"# Left to keepalived: one, two\n"},
		"a definition of another director": {"@d2 $A= \\\nweight 5 \\\n}\n@d1 $A= \\\nweight 6 \\\n}\n" +
			strings.TrimSuffix(service("", "$A"), "}\n"), 0, "masq 6"},
		"parameters": {"$A=10.0.0\n" +
			service("$B=${A}.2 # comment", "} real_server $B 81 {"), 0,
			"real = 10.0.0.1:80 masq 1|real = 10.0.0.2:81 masq 1"},
	} {
		path := file(t, c.text)
		text, missing, err := Convert(path, "d1")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text = strings.ReplaceAll(text, path, "PATH")
		rest := text
		for _, line := range strings.Split(c.want, "|") {
			_, after, found := strings.Cut(rest, line)
			if !found {
				t.Errorf("%s: no %q in\n%s", name, line, text)
			}
			rest = after
		}
		if missing != c.missing {
			t.Errorf("%s: %d lines have no equal or differ, want %d:\n%s", name, missing, c.missing, text)
		}
	}
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
	got := fmt.Sprint(v.Reals[0].Weight, v.Reals[0].Upper, v.Reals[0].Forward, " ",
		v.Arguments("ADDRESS", "", "", "", ""),
		" ", checks[1].Request, " ", checks[1].Receive, " ", checks[1].HTTPStatus, " ", checks[1].CheckPort)
	testkit.Equal(t, got, `7 9 ipip [-H ADDRESS two words] /a#b"c "up!": "\d+\x23" 200,301-302 81`)
}

// regex_no_match becomes a pattern that matches what the other one does not.
func TestNoMatch(t *testing.T) {
	text, _, err := Convert(file(t, service("", "HTTP_GET {\nurl {\nregex 'down|out$'\nregex_no_match\n}\n}")), "")
	if err != nil {
		t.Fatal(err)
	}
	config, _ := parser.Parse(t.Context(), "", []byte(text), parser.Options{})
	pattern, err := perlre.Compile(config.Virtuals[0].Receive)
	if err != nil {
		t.Fatal(err)
	}
	for page, want := range map[string]bool{"up": true, "": true, "out of order": true, "up\nor down": false,
		"down": false, "go out": false} {
		if got, err := pattern.Match([]byte(page), time.Minute, new(time.Duration)); got != want || err != nil {
			t.Errorf("%q: %v, %v", page, got, err)
		}
	}
}

func FuzzConvert(f *testing.F) {
	examples, _ := filepath.Glob("../../cmd/ldirectord-import/testdata/*.conf")
	for _, example := range examples {
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
		if notes := strings.Count(written, "\n# "+path+":"); notes != missing {
			t.Errorf("%d comments for %d lines:\n%s", notes, missing, written)
		}
		if _, found := parser.Parse(t.Context(), "", []byte(written), parser.Options{}); found.HasErrors() {
			t.Errorf("%v\n%s", found.Errors(), written)
		}
	})
}
