package protocol

import "testing"

func TestNNTP(t *testing.T) {
	nntp := Spec{Service: "nntp"}
	quit := steps("> QUIT", "< 205 bye")
	checkFakes(t, nil, append(greetingCases(nntp, "NNTP", "200 ready"), []fakeCase{
		{"good", nntp, steps("< 200 posting allowed", quit), "up: 200 posting allowed"},
		{"reading only", nntp, steps("< 201 reading only", quit), "up: 201 reading only"},
		{"never says quit", nntp, steps("< 200 ready", silent), "up: 200 ready"},
		{"not now", nntp, steps("< 400 maintenance", quit), "down: greeting: 400 maintenance"},
		{"not for you", nntp, steps("< 502 no permission", quit), "down: greeting: 502 no permission"},
	}...))
}
