package health

import "testing"

// The words of an agent mean what they mean to HAProxy. TestRealHAProxyAgent of package checker compares with HAProxy
// itself.
func TestAnAgentsWords(t *testing.T) {
	percent := func(n uint8) Report { return Report{Weighs: true, Percent: n} }
	none := Report{Wordless: true}
	for line, want := range map[string]Report{
		"":                       none,
		" \t,":                   none,
		"# 50% down":             none,
		"maxconn:30":             none,
		"50%":                    percent(50),
		"0%":                     percent(0),
		"100%":                   percent(100),
		"200%":                   percent(100),
		"050%":                   percent(50),
		"99999999999999999999%":  percent(100),
		"50% 20%":                percent(20),
		"foo 40%":                percent(40),
		" \t,50%":                percent(50),
		"maxconn:10,20%":         percent(20),
		"ready":                  {Admin: Ready},
		"drain":                  {Admin: Drain},
		"DRAIN":                  {Admin: Drain},
		"maint":                  {Admin: Maint},
		"drain ready":            {Admin: Ready},
		"ready,drain":            {Admin: Drain},
		"maint\tdrain":           {Admin: Drain},
		"up":                     {State: Up},
		"down":                   {State: Down},
		"fail":                   {State: Down},
		"stopped":                {State: Down},
		"up down":                {State: Down},
		"down up":                {State: Up},
		"down # up":              {State: Down},
		"drain 30% down #lunch":  {Weighs: true, Percent: 30, Admin: Drain, State: Down},
		"UP 75%,Ready Maxconn:3": {Weighs: true, Percent: 75, Admin: Ready, State: Up},
		"50% 100%%":              none,
		"up 5x%":                 {State: Up},
	} {
		if report, known := ReadAgent(line); report != want || !known {
			t.Errorf("%q tells %+v (%v), want %+v", line, report, known, want)
		}
	}
	for _, line := range []string{"-5%", "+5%", "1.5%", "5x%", "50%;", "50", "% 5", "50 %", "up#why",
		"HTTP/1.1 400 Bad", "\xff"} {
		if report, known := ReadAgent(line); report != none || known {
			t.Errorf("%q tells %+v (%v)", line, report, known)
		}
	}
}
