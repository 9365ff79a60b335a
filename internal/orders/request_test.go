package orders

import (
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/runfile"
	"ldirectord/internal/testkit"
)

// The end of an order for a time is kept by the clock since the boot. After another boot, or without a record of the
// boot, the wall clock decides.
func TestAnOrderForATimeIsOfThisBoot(t *testing.T) {
	file := File(filepath.Join(t.TempDir(), "drain"))
	r, err := Parse(url.Values{"order": {"maint"}, "server": {"a"}, "for": {"2h"}})
	if left := r.Ends - runfile.SinceBoot(); err != nil || left < time.Hour || left > 2*time.Hour || r.Boot == "" {
		t.Fatalf("%+v, %v", r, err)
	}
	words := url.Values{"order": {"maint"}, "server": {"a"}, "until": {"23:59"}}
	until, _ := Parse(words)
	testkit.Equal(t, words.Get("until"), until.Until.Format(time.RFC3339), "until for another time zone")
	at := func(real string) lvs.Backend { return lvs.Backend{Virtual: "fwm:3", Real: real} }
	former, earlier := r.Order, r.Order
	former.Boot, earlier.Boot, earlier.Ends = "another", "", 0
	all := All{at("a:1"): r.Order, at("b:1"): former, at("c:1"): earlier, at("d:1"): until.Order}
	testkit.OK(t, file.Write(all))
	got, err := file.Read()
	if err != nil || got[at("a:1")] != r.Order || got[at("c:1")] != earlier || got[at("d:1")] != until.Order {
		t.Errorf("%v, %v; want %v", got, err, all)
	}
	if o := got[at("b:1")]; o.Ends != 0 || !o.End().Equal(r.Until) || until.Ends != 0 {
		t.Errorf("of another boot: %+v", o)
	}
}

// Orders that are written are read as they were. Each server has a line of its own. A file without the line of the
// format is refused.
func TestTheFileOfOrders(t *testing.T) {
	dir := t.TempDir()
	file := File(filepath.Join(dir, "drain"))
	testkit.Same(t, testkit.Must(file.Read())(t), All{}, "no file")
	now := second(time.Now())
	web, mail := lvs.Backend{Virtual: "tcp:10.1.0.1:80", Real: "10.2.0.1:80"},
		lvs.Backend{Virtual: "fwm:3", Real: "10.2.0.1:25"}
	other := lvs.Backend{Virtual: "fwm:3", Real: "10.2.0.2:25"}
	all := All{
		web:   {Kind: Maint, Why: "new \"disk\"\u2028 # {", By: "kim", Since: now, Until: now.Add(time.Hour)},
		mail:  {Kind: Weigh, Weight: 20, Since: now},
		other: {Kind: Drain},

		{Virtual: "fwm:3"}: {Kind: Obey, Since: now},
	}
	testkit.OK(t, file.Write(all))
	testkit.Same(t, testkit.Must(file.Read())(t), all, "read again")
	var plain []string
	for line := range strings.Lines(testkit.Read(t, string(file))) {
		if !strings.HasPrefix(line, "#") {
			plain = append(plain, strings.TrimSpace(line))
		}
	}
	bad := File(filepath.Join(dir, "bad"))
	testkit.Write(t, string(bad), runfile.Format+"\n # {1\n")
	if all, err := bad.Read(); len(all) != 0 || err == nil {
		t.Errorf("an order that is none: %v, %v", all, err)
	}
	testkit.Equal(t, strings.Join(plain, ", "), "fwm:3 10.2.0.2:25, tcp:10.1.0.1:80 10.2.0.1:80", "taken out")
	const unknown = `{"virtual":"fwm:3","real":"10.2.0.1:25","order":"of a later version","why":"disk"}`
	for text, want := range map[string]All{
		"# ldirectord 2\nfwm:3 10.2.0.1:25\n":                       {mail: {Kind: Drain}},
		"# ldirectord 2\n# a word\n\nnothing\nfwm:3":                {},
		"# ldirectord 2\n# " + unknown + "\nfwm:3 10.2.0.1:25\n":    {mail: {Kind: Drain, Why: "disk"}},
		"# ldirectord 2\n# {\"virtual\":\"fwm\nfwm:3 10.2.0.1:25\n": {mail: {Kind: Drain}},
	} {
		testkit.OK(t, runfile.Write(string(file), []byte(text), 0o600))
		damaged := strings.Contains(text, "\"fwm\n")
		if got, err := file.Read(); !maps.Equal(got, want) || (err != nil) != damaged {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	testkit.OK(t, runfile.Write(string(file), []byte("fwm:3 10.2.0.1:25\nfwm:3 10.2.0.2:25\n"), 0o600))
	if all, err := file.Read(); len(all) != 0 || err == nil ||
		!strings.HasSuffix(err.Error(), "again: fwm:3 10.2.0.1:25; fwm:3 10.2.0.2:25; ") {
		t.Errorf("without a format: %v, %v", all, err)
	}
}

func TestHowLongAnOrderLasts(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.Local)
	for _, row := range testkit.Table(t, "testdata/ends.txt", 3) {
		end, err := endOf(row[0], row[1], now)
		got := end.Sub(now).String()
		switch {
		case err != nil:
			got = "refused"
		case end.IsZero():
			got = "forever"
		}
		testkit.Equal(t, got, row[2], row)
	}
}

func TestTheReasonOfAnOrderIsOneShortLine(t *testing.T) {
	for why, want := range map[string]string{
		" new disk ":             "new disk",
		"a\nb\x1b[31m":           "a b [31m",
		strings.Repeat("x", 999): strings.Repeat("x", maxWhy) + "…",
	} {
		words := url.Values{"order": {"maint"}, "server": {"a"}, "why": {why}}
		testkit.Equal(t, testkit.Must(Parse(words))(t).Why, want, why)
		testkit.Equal(t, words.Get("why"), want, "sent: a request line must not be too long")
	}
	testkit.Fails(t, testkit.Error(Parse(url.Values{"order": {"weight 2147483648"}})),
		`"2147483648" is not a weight: 0 (drain), 1 to 2147483647, and 1% to 99% are allowed`)
}

// What an order in words is. A percentage is that of each server's weight in the file. Orders that take a server out,
// or weigh it, can begin later, unless they are forced or wait for their budget. Their time counts from then.
func TestWhatIsOrdered(t *testing.T) {
	for _, row := range testkit.Table(t, "testdata/requests.txt", 5) {
		words := url.Values{"server": {"10.2.0.1"}}
		for pair := range strings.SplitSeq(row[0], ", ") {
			key, value, _ := strings.Cut(pair, "=")
			if words.Add(key, value); key == "server" {
				words.Set(key, value)
			}
		}
		r, err := Parse(words)
		if err != nil {
			testkit.Equal(t, "refused", row[1], row, err)
			continue
		}
		testkit.Equal(t, r.What(), row[1], row)
		if row[2] != "" {
			var weight int
			testkit.Must(fmt.Sscan(row[2], &weight))(t, row)
			got := r.For(weight)
			got.Since = time.Time{}
			want := Order{Kind: got.Kind, Weight: got.Weight}
			testkit.Equal(t, got, want, row, "nothing else is said")
			testkit.Equal(t, fmt.Sprint(got.Kind, " ", got.Weight), row[3], row)
			if row[4] != "" {
				testkit.Equal(t, r.StringFor(weight), row[4], row)
			}
		}
		if words.Has("from") && (words.Get("from") != r.From.Format(time.RFC3339) ||
			!r.From.After(r.Since) || !r.Until.Equal(r.From.Add(2*time.Hour))) {
			t.Errorf("%v: %+v", row, r)
		}
	}
}
