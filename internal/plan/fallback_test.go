package plan

import "testing"

// A mistake of the section's check is reported once, also where only the fallback server has it.
func TestAMistakeInTheCheckOfAFallback(t *testing.T) {
	const bad = "virtual = 10.1.0.1:80\n\tservice = http\n\tfallback = 10.2.0.9:80\n\tfallbackcheck = section\n" +
		"\treceive = \"(\"\n"
	for _, real := range []string{"", "\treal = 10.2.0.1:80 gate\n"} {
		p, found := planned(t, bad+real, built)
		if p != nil || len(found.Errors()) != 1 || found[0].Pos.Line != 5 {
			t.Errorf("%q: %v", real, found)
		}
	}
}

// The check of a fallback server is made once for all that have it, as real servers or as fallback servers. It is among
// those of a plan, so probe makes it, and a shadow replaces its program.
func TestTheChecksOfFallbackServers(t *testing.T) {
	p, _ := planned(t, "fallbackcheck = connect\n"+
		lines("virtual = 10.1.0.1:80", "real = 10.2.0.1:80 gate", "fallback = 10.2.0.9:80",
			"checktype = connect")+
		lines("virtual = 10.1.0.2:80", "real = 10.2.0.9:80 gate", "fallback = 10.2.0.1:80",
			"checktype = connect"), neverChecked)
	var list string
	for _, c := range p.ChecksOf("10.1.0.1:80", "") {
		list += c.Real + " " + c.Name + "\n"
	}
	if list != "10.2.0.1:80 connect\n10.2.0.9:80 connect\n" || len(p.Tasks) != 2 {
		t.Errorf("%d checks of two servers; of the first section\n%s", len(p.Tasks), list)
	}
}
