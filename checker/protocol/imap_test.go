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
	asked := []step{say(greeting), await(`a LOGIN "monitor" "pass \"word\""`)}
	quit := []step{await("b LOGOUT"), say("* BYE", "b OK")}
	checkFakes(t, append(greetingCases(imap, nil, "IMAP", greeting), []fakeCase{
		{name: "good", spec: user, server: steps(asked, say("* CAPABILITY IMAP4rev1", "a OK logged in"), quit), up: true, detail: "a OK logged in"},
		{name: "good over IPv6", spec: user, ipv6: true, server: steps(asked, say("a ok"), quit), up: true, detail: "a ok"},
		{name: "good without a log-in", spec: imap, server: steps(say(greeting), quit), up: true, detail: greeting},
		{name: "logged in already", spec: user, server: steps(say("* PREAUTH welcome"), quit), up: true, detail: "* PREAUTH welcome"},
		{name: "not ready", spec: imap, server: steps(say("* BYE try later"), quit), detail: "greeting: * BYE try later"},
		{name: "wants TLS", spec: user, server: steps(say("* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready"), quit),
			detail: "login not possible: the server wants TLS first (LOGINDISABLED)"},
		{name: "wrong password", spec: user, server: steps(asked, say("a NO [AUTHENTICATIONFAILED] no"), quit), detail: "login rejected: a NO [AUTHENTICATIONFAILED] no"},
		{name: "says quit", spec: user, server: steps(asked, say("* BYE shutdown")), detail: "connection closed waiting for the answer to LOGIN"},
		{name: "login with other letters", spec: foreign, server: steps(say(greeting), await("a LOGIN {8}"), say("+ go on"), await("mönitor {9}"), say("+"), await("pässword"), say("a OK"), quit),
			up: true, detail: "a OK"},
		{name: "literal rejected", spec: foreign, server: steps(say(greeting), await("a LOGIN {8}"), say("a BAD too long"), quit), detail: "login rejected: a BAD too long"},
		{name: "repeats the password", spec: user, server: steps(asked, say(`a NO pass "word" is wrong`), quit), detail: "login rejected: a NO … is wrong"},
		{name: "echoes", spec: user, server: steps(say("* OK"), await(`a LOGIN "monitor" "pass \"word\""`), say(`a LOGIN "monitor" "pass \"word\""`), quit),
			detail: `login rejected: a LOGIN "monitor" "…"`},
		{name: "invalid data in the middle", spec: user, server: steps(asked, say("+OK what?"), awaitAll("")), detail: `not IMAP: "+OK what?"`},
		{name: "silent in the middle", spec: user, server: steps(asked, silent), late: true, detail: "timeout waiting for the answer to LOGIN"},
		{name: "slow drip in the middle", spec: user, server: steps(asked, drip("a OK logged in at last")), late: true, detail: "timeout in the answer to LOGIN"},
		{name: "reset in the middle", spec: user, server: steps(asked, reset), detail: "connection reset waiting for the answer to LOGIN"},
		{name: "closed in the middle", spec: user, server: steps(asked, raw("a O")), detail: "connection closed in the answer to LOGIN"},
		{name: "endless line in the middle", spec: user, server: steps(asked, endless("* ")), detail: "a line of more than 4096 bytes in the answer to LOGIN"},
		{name: "endless lines", spec: user, server: steps(asked, endless("* 1 EXISTS\r\n")), detail: "more than 65536 bytes sent before the end of the answer to LOGIN"},
	}...))
}

func TestIMAPS(t *testing.T) {
	const greeting = "* OK ready"
	secure := serverTLS(t)
	imaps := Spec{Service: "imaps", Account: settings.Account{Login: "monitor", Passwd: "password"}, Host: "mail.example.org"}
	asked := []step{say(greeting), await(`a LOGIN "monitor" "password"`)}
	quit := []step{await("b LOGOUT"), say("* BYE", "b OK")}
	good := steps(asked, say("a OK in"), quit)
	checkFakes(t, append(greetingCases(imaps, secure, "IMAP", greeting), []fakeCase{
		{name: "good", spec: imaps, tls: secure, server: good, up: true, detail: "a OK in"},
		{name: "good over IPv6", spec: imaps, tls: secure, ipv6: true, server: good, up: true, detail: "a OK in"},
		{name: "server name is virtualhost", spec: imaps, tls: expectName(t, "mail.example.org"), server: good, up: true, detail: "a OK in"},
		{name: "old TLS", spec: imaps, tls: oldTLS(t), server: good, up: true, detail: "a OK in"},
		{name: "wrong password", spec: imaps, tls: secure, server: steps(asked, say("a NO no"), quit), detail: "login rejected: a NO no"},
		{name: "silent in the middle", spec: imaps, tls: secure, server: steps(asked, silent), late: true, detail: "timeout waiting for the answer to LOGIN"},
	}...))
}
