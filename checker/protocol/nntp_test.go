package protocol

import "testing"

func TestNNTP(t *testing.T) {
	nntp := Spec{Service: "nntp"}
	quit := []step{await("QUIT"), say("205 bye")}
	checkFakes(t, append(greetingCases(nntp, nil, "NNTP", "200 ready"), []fakeCase{
		{name: "good", spec: nntp, server: steps(say("200 posting allowed"), quit), up: true, detail: "200 posting allowed"},
		{name: "good over IPv6", spec: nntp, ipv6: true, server: steps(say("201 reading only"), quit), up: true, detail: "201 reading only"},
		{name: "never says quit", spec: nntp, server: steps(say("200 ready"), silent), up: true, detail: "200 ready"},
		{name: "not now", spec: nntp, server: steps(say("400 maintenance"), quit), detail: "greeting: 400 maintenance"},
		{name: "not for you", spec: nntp, server: steps(say("502 no permission"), quit), detail: "greeting: 502 no permission"},
	}...))
}
