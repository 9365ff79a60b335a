package protocol

import (
	"testing"

	"ldirectord/checker/settings"
)

func TestIMAP(t *testing.T) {
	const greeting = "* OK ready"
	imap := Spec{Service: "imap"}
	user := Spec{Service: "imap", Account: settings.Account{Login: "monitor", Passwd: `pass "word"`}}
	foreign := Spec{Service: "imap", Account: settings.Account{Login: "mönitor", Passwd: "pässword"}}
	asked := steps("< "+greeting, `> a LOGIN "monitor" "pass \"word\""`)
	quit := steps("> b LOGOUT", "< * BYE", "< b OK")
	checkFakes(t, nil, append(greetingCases(imap, "IMAP", greeting), []fakeCase{
		{"good", user, steps(asked, "< * CAPABILITY IMAP4rev1", "< a OK logged in", quit),
			"up: a OK logged in"},
		{"good in small letters", user, steps(asked, "< a ok", quit), "up: a ok"},
		{"good without a log-in", imap, steps("< "+greeting, quit), "up: " + greeting},
		{"logged in already", user, steps("< * PREAUTH welcome", quit), "up: * PREAUTH welcome"},
		{"not ready", imap, steps("< * BYE try later", quit), "down: greeting: * BYE try later"},
		{"wants TLS", user, steps("< * OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready", quit),
			"down: login not possible: the server wants TLS first (LOGINDISABLED)"},
		{"wrong password", user, steps(asked, "< a NO [AUTHENTICATIONFAILED] no", quit),
			"down: login rejected: a NO [AUTHENTICATIONFAILED] no"},
		{"says quit", user, steps(asked, "< * BYE shutdown"),
			"down: connection closed waiting for the answer to LOGIN"},
		{"login with other letters", foreign,
			steps("< "+greeting, "> a LOGIN {8}", "< + go on", "> mönitor {9}", "< +",
				"> pässword", "< a OK", quit),
			"up: a OK"},
		{"literal rejected", foreign, steps("< "+greeting, "> a LOGIN {8}", "< a BAD too long", quit),
			"down: login rejected: a BAD too long"},
		{"repeats the password", user, steps(asked, `< a NO pass "word" is wrong`, quit),
			"down: login rejected: a NO … is wrong"},
		{"echoes", user,
			steps("< * OK", `> a LOGIN "monitor" "pass \"word\""`,
				`< a LOGIN "monitor" "pass \"word\""`, quit),
			`down: login rejected: a LOGIN "monitor" "…"`},
		{"invalid data in the middle", user, steps(asked, "< +OK what?", awaitAll("")),
			`down: not IMAP: "+OK what?"`},
		{"slow drip in the middle", late(user), steps(asked, drip("a OK logged in at last")),
			"down: timeout in the answer to LOGIN"},
		{"reset in the middle", user, steps(asked, reset),
			"down: connection reset waiting for the answer to LOGIN"},
		{"closed in the middle", user, steps(asked, raw("a O")),
			"down: connection closed in the answer to LOGIN"},
		{"endless line in the middle", user, steps(asked, endless("* ")),
			"down: a line of more than 4096 bytes in the answer to LOGIN"},
		{"endless lines", user, steps(asked, endless("* 1 EXISTS\r\n")),
			"down: more than 65536 bytes sent before the end of the answer to LOGIN"},
	}...))
}

func TestIMAPS(t *testing.T) {
	const greeting = "* OK ready"
	secure := serverTLS(t)
	imaps := Spec{Service: "imaps", Account: settings.Account{Login: "monitor", Passwd: "password"},
		Host: "mail.example.org"}
	asked := steps("< "+greeting, `> a LOGIN "monitor" "password"`)
	quit := steps("> b LOGOUT", "< * BYE", "< b OK")
	good := steps(asked, "< a OK in", quit)
	checkFakes(t, secure, append(greetingCases(imaps, "IMAP", greeting), []fakeCase{
		{"good", imaps, good, "up: a OK in"},
		{"wrong password", imaps, steps(asked, "< a NO no", quit), "down: login rejected: a NO no"},
	}...))
	checkFakes(t, expectName(t, "mail.example.org"),
		[]fakeCase{{"server name is virtualhost", imaps, good, "up: a OK in"}})
	checkFakes(t, oldTLS(t), []fakeCase{{"old TLS", imaps, good, "up: a OK in"}})
}
