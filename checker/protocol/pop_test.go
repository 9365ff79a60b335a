package protocol

import (
	"testing"

	"ldirectord/checker/settings"
)

func TestPOP(t *testing.T) {
	const greeting = "+OK ready"
	pop := Spec{Service: "pop"}
	user := Spec{Service: "pop", Account: settings.Account{Login: "monitor", Passwd: `pass "word"`}}
	named := []step{say(greeting), await("USER monitor"), say("+OK")}
	passed := steps(named, await(`PASS pass "word"`))
	quit := []step{await("QUIT"), say("+OK bye")}
	checkFakes(t, append(greetingCases(pop, nil, "POP", greeting), []fakeCase{
		{name: "good", spec: user, server: steps(passed, say("+OK logged in"), quit), up: true, detail: "+OK logged in"},
		{name: "good over IPv6", spec: user, ipv6: true, server: steps(passed, say("+OK logged in"), quit), up: true, detail: "+OK logged in"},
		{name: "good without a log-in", spec: pop, server: steps(say(greeting), quit), up: true, detail: greeting},
		{name: "not ready", spec: pop, server: steps(say("-ERR try later"), quit), detail: "greeting: -ERR try later"},
		{name: "wrong user", spec: user, server: steps(say(greeting), await("USER monitor"), say("-ERR who?"), quit), detail: "login rejected: -ERR who?"},
		{name: "wrong password", spec: user, server: steps(passed, say("-ERR [AUTH] failed"), quit), detail: "login rejected: -ERR [AUTH] failed"},
		{name: "repeats the password", spec: user, server: steps(passed, say(`-ERR no user has pass "word" here`), quit), detail: "login rejected: -ERR no user has … here"},
		{name: "echoes", spec: user, server: steps(passed, say(`PASS pass "word"`), awaitAll("")), detail: `not POP: "PASS …"`},
		{name: "silent in the middle", spec: user, server: steps(passed, silent), late: true, detail: "timeout waiting for the answer to PASS"},
		{name: "slow drip in the middle", spec: user, server: steps(passed, drip("+OK logged in at last")), late: true, detail: "timeout in the answer to PASS"},
		{name: "reset in the middle", spec: user, server: steps(passed, reset), detail: "connection reset waiting for the answer to PASS"},
		{name: "closed in the middle", spec: user, server: named[:2], detail: "connection closed waiting for the answer to USER"},
		{name: "endless line in the middle", spec: user, server: steps(passed, endless("+OK ")), detail: "a line of more than 4096 bytes in the answer to PASS"},
	}...))
}

func TestPOPS(t *testing.T) {
	const greeting = "+OK ready"
	secure := serverTLS(t)
	pops := Spec{Service: "pops", Account: settings.Account{Login: "monitor", Passwd: "password"}, Host: "mail.example.org"}
	quit := []step{await("QUIT"), say("+OK bye")}
	passed := []step{say(greeting), await("USER monitor"), say("+OK"), await("PASS password")}
	checkFakes(t, append(greetingCases(pops, secure, "POP", greeting), []fakeCase{
		{name: "good", spec: pops, tls: secure, server: steps(passed, say("+OK in"), quit), up: true, detail: "+OK in"},
		{name: "good over IPv6", spec: pops, tls: secure, ipv6: true, server: steps(passed, say("+OK in"), quit), up: true, detail: "+OK in"},
		{name: "server name is virtualhost", spec: pops, tls: expectName(t, "mail.example.org"), server: steps(passed, say("+OK in"), quit), up: true, detail: "+OK in"},
		{name: "old TLS", spec: pops, tls: oldTLS(t), server: steps(passed, say("+OK in"), quit), up: true, detail: "+OK in"},
		{name: "wrong password", spec: pops, tls: secure, server: steps(passed, say("-ERR no"), quit), detail: "login rejected: -ERR no"},
		{name: "silent in the middle", spec: pops, tls: secure, server: steps(passed, silent), late: true, detail: "timeout waiting for the answer to PASS"},
	}...))
}
