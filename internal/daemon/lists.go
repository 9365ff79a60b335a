package daemon

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"ldirectord/internal/notify"
	"ldirectord/internal/resolve"
	"ldirectord/internal/runfile"
	"ldirectord/parser"
)

// Limits of a list of real servers.
const (
	maxList   = 4 << 20 // bytes
	fewListed = 4       // a list with fewer servers may shrink to any size
)

// lists holds the lists of real servers. The key is a path for realfile, and the parser's identifier for realnames.
type lists map[string]parser.List

// readLists reads the files that realfile lines name, and looks up the names in realnames lines. A list that can't be
// used is replaced by the list in force. If none is in force, it is replaced by the last good list that was saved. A
// guarded list can't be used if it has fewer than half as many servers as the previous list (see shrunk) or, without
// emptyok, if it has lost all servers of an address family. If due is not nil, only the lists in it are read, and those
// for which it is true are guarded.
func (s Source) readLists(ctx context.Context, text []byte, inForce lists, guarded bool, due map[string]bool) lists {
	uses, emptyOK := parser.RealLists(text)
	if due != nil {
		maps.DeleteFunc(uses, func(id string, _ parser.ListUse) bool { _, is := due[id]; return !is })
	}
	all, names := lists{}, s.lookUpLists(ctx, uses)
	for id, use := range uses {
		was, known := inForce[id]
		var unread error
		known = known && !was.Missing
		if !known {
			was.Servers, known, unread = savedList(id)
		}
		servers, err := readList(id, use.Name, names)
		if err == nil && len(servers) == 0 && !emptyOK {
			err = whyEmpty(use.Name, names)
		}
		if err == nil {
			err = use.Check(servers)
		}
		isShrunk := false
		if err == nil && known && !s.Alone && (guarded || due[id]) {
			if err = shrunk(was.Servers, servers); err == nil && !emptyOK {
				err = use.Lost(was.Servers, servers)
			}
			isShrunk = err != nil
		}
		if err == nil {
			all[id] = parser.List{Servers: servers}
			continue
		}
		instead := "the section has no servers from it"
		if known {
			instead = "its last good list stays in force"
		} else if unread != nil {
			instead += ", and its last good list can't be read: " + unread.Error()
		}
		all[id] = parser.List{Servers: was.Servers, Trouble: err.Error() + "; " + instead, Shrunk: isShrunk,
			Missing: !known}
	}
	return all
}

// lookUpLists looks up the names in realnames lines.
func (s Source) lookUpLists(ctx context.Context, uses map[string]parser.ListUse) *resolve.Table {
	names := resolve.NewTable(resolve.Source{Resolver: wholeNames{newSystemNames()}})
	if s.Alone {
		names.Resolver = noNames{}
	}
	for _, use := range uses {
		if use.Name.Host != "" {
			names.Host(use.Name.Host, use.Name.IPv6)
		}
	}
	names.LookUp(ctx)
	return names
}

// readList returns the servers that a file lists, or the addresses of a name.
func readList(id string, name resolve.Key, names *resolve.Table) ([]parser.ListedReal, error) {
	if name.Host == "" {
		text, err := readTrusted(id, maxList)
		if err != nil {
			return nil, err
		}
		return parser.ReadList(text)
	}
	answer := names.Host(name.Host, name.IPv6)
	if answer.All == nil {
		return nil, errors.New(answer.Failure)
	}
	return parser.AddressList(answer.All)
}

// whyEmpty returns the reason why a list without a server can't be used.
func whyEmpty(name resolve.Key, names *resolve.Table) error {
	if name.Host != "" && names.Host(name.Host, name.IPv6).NoName {
		return fmt.Errorf("%w; with emptyok = yes that counts as an empty list", resolve.ErrNoName)
	}
	return errors.New("it has no server; with emptyok = yes it may be empty")
}

// shrunk returns an error if a list has fewer than half as many servers as before, unless it had fewer than fewListed.
func shrunk(was, now []parser.ListedReal) error {
	before, left := distinct(was), distinct(now)
	if before >= fewListed && 2*left < before {
		return fmt.Errorf("it has %d of %d servers left; it is used after shrinkwait, "+
			"or at once with the command reload", left, before)
	}
	return nil
}

// distinct counts the different servers of a list.
func distinct(list []parser.ListedReal) int {
	targets := map[string]bool{}
	for _, one := range list {
		targets[one.Target] = true
	}
	return len(targets)
}

// savedList returns the last good list that was saved. It leaves out servers that only another version accepted,
// because with them the file would be refused.
func savedList(id string) (list []parser.ListedReal, known bool, err error) {
	text, err := runfile.Read(statePath("list", id))
	if err == nil && text != nil {
		err = json.Unmarshal(text, &list)
	}
	list = slices.DeleteFunc(list, func(one parser.ListedReal) bool { return one.Check() != nil })
	return list, err == nil && text != nil, err
}

// saveList saves a good list for the next start.
func saveList(id string, list []parser.ListedReal) error {
	text, _ := json.Marshal(list) // every list can be written
	return keep(statePath("list", id), text)
}

// listWatch notices when lists must be read again.
type listWatch struct {
	files    look[versions]
	seen     versions             // the files at the last look
	read     versions             // the files when they were read
	since    map[string]time.Time // since when a list has lost too many servers
	reported lists                // as last read, with their trouble
	saved    lists                // the lists saved for the next start since the last reload
	reading  chan lists           // gets the lists that are being read; nil: none are being read
	refused  bool                 // the lists last read were refused, perhaps because of another file
	asked    time.Time            // when lists were last due although their files had not changed
	retry    time.Duration        // the wait until they are due again; 0: all can be used
}

func newListWatch() listWatch {
	return listWatch{seen: versions{}, read: versions{}, since: map[string]time.Time{}}
}

// isName reports whether a list comes from a name rather than from a file.
func isName(id string) bool { return !filepath.IsAbs(id) }

// now returns the versions of the lists' files. A list that comes from a name has no version.
func (w *listWatch) now() versions {
	paths := slices.DeleteFunc(slices.Collect(maps.Keys(w.reported)), isName)
	return w.files.now(versionsOf(paths))
}

// due returns the lists that must be read, and whether each is guarded. A file must be read when it has changed and
// then stayed the same until the next look. Names (if every is not 0), and lists that could not be used or were
// refused, must be read when asks returns true. A list that has lacked too many servers for at least wait must be read
// too, and is not guarded. No file is read while it changes.
func (w *listWatch) due(wait, every time.Duration) map[string]bool {
	due := map[string]bool{}
	asks, files := w.asks(every), w.now()
	for id, list := range w.reported {
		now, since := files[id], w.since[id]
		isOld := !since.IsZero() && time.Since(since) >= wait
		again := asks && (w.refused || list.Trouble != "" || every > 0 && isName(id))
		if now.same(w.seen[id]) && (isOld || again || !now.same(w.read[id])) {
			w.read[id], due[id] = now, !isOld
		}
		w.seen[id] = now
	}
	return due
}

// asks reports whether it is time to read lists again even though their files have not changed.
func (w *listWatch) asks(every time.Duration) bool {
	wait := cmp.Or(w.retry, every)
	if wait == 0 || time.Since(w.asked) < wait-pollInterval/2 { // a look is never quite on time
		return false
	}
	w.asked, w.retry = time.Now(), min(2*w.retry, cmp.Or(every, maxLookupRetry), maxLookupRetry)
	return true
}

// lookAtLists starts to read the lists that are due. It does so in the background, because a name server may be slow.
func (f *configFile) lookAtLists(ctx context.Context) {
	w, global := &f.lists, f.current.Config.Global
	if w.reading != nil {
		return
	}
	due := w.due(global.ShrinkWait.Duration(), global.Resolve.Duration())
	if len(due) == 0 {
		return
	}
	reading := make(chan lists, 1)
	w.reading = reading
	text, inForce := f.current.Text, f.current.Lists
	go func() { reading <- f.d.Config.readLists(ctx, text, inForce, false, due) }()
}

// takeLists puts newly read lists in force if they differ from those in force.
func (f *configFile) takeLists(ctx context.Context, read lists) {
	w := &f.lists
	w.reading = nil
	now := maps.Clone(w.reported)
	maps.Copy(now, read)
	f.reportLists(now)
	changed := false
	for _, id := range slices.Sorted(maps.Keys(now)) {
		was, is := f.current.Lists[id], now[id]
		// A missing list and an empty one have equal Servers, but once the list exists, the servers that were
		// kept because it was missing must go.
		if !slices.Equal(was.Servers, is.Servers) || was.Missing && !is.Missing {
			changed = true
			f.d.say(notify.ConfigChanged, "List %s has changed", id)
		}
	}
	why := ""
	if changed {
		why = f.take(ctx, f.current.Text, nil, request{auto: true, lists: now, listed: true})
	} else {
		f.current.Lists = now // with their trouble: they may come back after a trial
	}
	f.d.tally.tookLists(why)
	if w.refused = why != ""; w.refused {
		w.retry = maxLookupRetry // the daemon would refuse it again
	}
}

// reportLists reports each list that can't be used any more, and each that is used again.
func (f *configFile) reportLists(now lists) {
	w, asksAgain := &f.lists, false
	f.d.tally.setLists(now)
	for _, id := range slices.Sorted(maps.Keys(now)) {
		if _, waits := w.since[id]; !now[id].Shrunk {
			delete(w.since, id)
		} else if !waits {
			w.since[id] = time.Now()
		}
		trouble, was := now[id].Trouble, w.reported[id].Trouble
		asksAgain = asksAgain || trouble != ""
		switch {
		case trouble == was:
		case trouble != "":
			f.d.say(notify.ListFailed, "List %s is not used: %s", id, trouble)
		default:
			f.d.say(notify.ListRecovered, "List %s is used again", id)
		}
	}
	w.reported = now
	if !asksAgain {
		w.retry = 0
	} else if w.retry == 0 {
		w.retry = minLookupRetry
	}
}

// adoptLists notes the lists in force, and saves the good ones for the next start. A new list is soon read again,
// because it may have changed in the meantime.
func (f *configFile) adoptLists() {
	f.lists.reading, f.lists.refused = nil, false
	f.keepLists()
	f.reportLists(f.current.Lists)
}

// keepLists saves the good lists in force for the next start, except those already saved. Like keepGood, it does
// nothing in a daemon that saves no configuration, or during a trial.
func (f *configFile) keepLists() {
	if f.trial != nil || !f.keeps() {
		return
	}
	var failed error
	saved := lists{}
	for id, list := range f.current.Lists {
		if list.Trouble != "" {
			continue
		}
		if was, is := f.lists.saved[id]; !is || !slices.Equal(was.Servers, list.Servers) {
			if err := saveList(id, list.Servers); err != nil {
				failed = err
				continue
			}
		}
		saved[id] = list
	}
	f.lists.saved = saved
	f.d.settled(notify.KeepFailed, "A list of real servers can't be kept for the next start", failed)
}
