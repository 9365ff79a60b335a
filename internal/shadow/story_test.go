package shadow

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// story is a daemon and a shadow, by a file that changes.
type story struct {
	*farm
	folder, text string
	kill         func()
	stop         func() Report
	report       Report
}

func TestStories(t *testing.T) {
	testkit.Scenes(t, "../../testdata/shadow/stories.txt", func(t *testing.T, _ []string) func(string) any {
		return (&story{farm: newFarm(t), folder: t.TempDir(), text: config}).take
	})
}

// take takes a step, and returns what it shows.
func (s *story) take(step string) any {
	verb, what, _ := strings.Cut(step, " ")
	words := strings.Fields(what)
	switch verb {
	case "file":
		old, now, _ := strings.Cut(what, " => ")
		written := strings.NewReplacer(`\n`, "\n", `\t`, "\t", "DIR", s.folder)
		s.text = strings.Replace(s.text, written.Replace(old), written.Replace(now), 1)
	case "live":
		s.kill = s.live(s.text)
	case "kill":
		s.kill()
	case "shadow":
		s.stop = s.shadow(s.text, what != "")
	case "beside":
		s.kill, s.stop = s.beside(s.text)
	case "reload":
		testkit.OK(s.t, s.daemon.Reload(s.t.Context(), s.plan(s.text), false))
	case "follow":
		s.follow(s.text)
	case "down", "up":
		for _, addr := range words {
			s.set(verb == "down", addr)
		}
	case "maintain":
		testkit.Write(s.t, filepath.Join(s.folder, what), "")
	case "made":
		return testkit.Must(os.ReadDir(s.folder))(s.t)
	case "table":
		return testkit.Must(s.farm.table.Read(s.t.Context()))(s.t)[web].Dests
	case "said":
		defer s.locked()()
		said := strings.Join(s.lines, "; ")
		if s.lines = nil; what != "" {
			return strings.HasPrefix(said, what)
		}
		return said
	case "ran":
		defer s.locked()()
		defer func() { s.ran = nil }()
		return len(s.ran) > 0
	case "now":
		now := s.now()
		return fmt.Sprintf("%d, lasting: %v", len(now), now[0].Lasting)
	case "report":
		s.report = s.stop()
		r := s.report
		return fmt.Sprintf("%d lasting, %d listed, %d now, %d absent, %d followed, %d compared", r.Lasting,
			len(r.Differences), len(r.Now), len(r.Absent), len(r.Followed), r.Servers)
	case "readings":
		return s.report.Readings >= testkit.Must(strconv.Atoi(what))(s.t)
	case "printed":
		var text strings.Builder
		s.report.Print(&text)
		return strings.Contains(text.String(), what)
	default:
		return s.change(verb, words)
	}
	return nil
}

// change changes the live table, or a time passes.
func (s *story) change(verb string, words []string) any {
	op := lvs.Op{Key: web, Settings: lvs.Settings{Scheduler: "wrr"}}
	other := netip.MustParseAddrPort("192.0.2.11:80")
	kinds := map[string]lvs.OpKind{"edit": lvs.EditDest, "tunnel": lvs.EditDest, "add": lvs.AddDest,
		"remove": lvs.DelDest, "scheduler": lvs.EditService, "another": lvs.AddService, "no": lvs.DelService}
	kind, known := kinds[verb]
	switch {
	case !known:
		time.Sleep(testkit.Must(time.ParseDuration(verb))(s.t))
		return nil
	case verb == "another", words[0] == "other":
		op.Key.Addr = other
	case verb == "scheduler":
		op.Settings.Scheduler = words[0]
	case len(words) == 2:
		weight := testkit.Must(strconv.Atoi(words[1]))(s.t)
		op.Dest = lvs.Dest{Addr: netip.MustParseAddrPort(words[0]), Weight: uint32(weight)}
		if verb == "tunnel" {
			op.Dest.Forward = lvs.Tunnel
		}
	}
	op.Kind = kind
	s.do(op)
	return nil
}
