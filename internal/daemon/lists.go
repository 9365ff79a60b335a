package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"ldirectord/internal/notify"
	"ldirectord/internal/runfile"
	"ldirectord/parser"
)

// Limits of a list of realfile.
const (
	maxList   = 4 << 20 // bytes
	fewListed = 4       // a list of fewer servers may shrink to any size
)

// lists are the lists of realfile, by their paths.
type lists map[string]parser.List

// readLists reads the files that lines of realfile name. In place of one that can't be used there is the list in force,
// or that of the last daemon. A list that is guarded must not have fewer than half of the servers of that one.
func (s Source) readLists(text []byte, inForce lists, guarded func(path string) bool) lists {
	uses, emptyOK := parser.RealFiles(text)
	all := lists{}
	for path, use := range uses {
		was, known := inForce[path]
		if !known {
			was.Servers, known = savedList(path)
		}
		servers, err := readList(path, emptyOK)
		if err == nil {
			err = use.Check(servers)
		}
		isShrunk := false
		if err == nil && known && guarded(path) {
			err = shrunk(was.Servers, servers)
			isShrunk = err != nil
		}
		if err == nil {
			all[path] = parser.List{Servers: servers}
			continue
		}
		instead := "the section has none of its servers"
		if known {
			instead = "its last good list stays in force"
		}
		all[path] = parser.List{Servers: was.Servers, Trouble: err.Error() + "; " + instead, Shrunk: isShrunk}
	}
	return all
}

func guardAll(string) bool { return true }

func guardNone(string) bool { return false }

// readList reads a list. It refuses one that every user may write or replace: who writes it sends clients anywhere.
func readList(path string, emptyOK bool) ([]parser.ListedReal, error) {
	text, file, err := readStamped(path, maxList)
	if err != nil {
		return nil, err
	}
	const everyUser = 0o002
	switch folder := stamp(filepath.Dir(path)); {
	case folder.FileInfo == nil:
		return nil, errors.New("it has changed while it was read")
	case file.Mode()&everyUser != 0:
		return nil, errors.New("every user may write it; chmod o-w")
	case folder.Mode()&everyUser != 0 && folder.Mode()&os.ModeSticky == 0:
		return nil, errors.New("every user may replace it; chmod o-w for its folder")
	}
	list, err := parser.ReadList(text)
	if err == nil && len(list) == 0 && !emptyOK {
		err = errors.New("it has no server; with emptyok = yes it may be empty")
	}
	return list, err
}

// shrunk returns an error for a list with fewer than half of the servers of another one.
func shrunk(was, now []parser.ListedReal) error {
	before, left := distinct(was), distinct(now)
	if before >= fewListed && 2*left < before {
		return fmt.Errorf("it has %d of %d servers left, which the command reload takes at once, and "+
			"shrinkwait later", left, before)
	}
	return nil
}

// distinct is how many servers a list has.
func distinct(list []parser.ListedReal) int {
	targets := map[string]bool{}
	for _, one := range list {
		targets[one.Target] = true
	}
	return len(targets)
}

// savedList is the last good list of a path from before the start.
func savedList(path string) (list []parser.ListedReal, known bool) {
	text, err := runfile.Read(statePath("list", path))
	return list, err == nil && text != nil && json.Unmarshal(text, &list) == nil
}

// saveList keeps a good list for the next start.
func saveList(path string, list []parser.ListedReal) error {
	text, _ := json.Marshal(list) // every list can be written
	return keep(statePath("list", path), text)
}

// listWatch has the lists in force, and notices changes of their files.
type listWatch struct {
	inForce  lists
	seen     map[string]fileStamp // at the last look
	read     map[string]fileStamp // when it was read
	since    map[string]time.Time // since when its file has lost too many servers
	reported lists                // with their trouble
}

func newListWatch() listWatch {
	return listWatch{inForce: lists{}, seen: map[string]fileStamp{}, read: map[string]fileStamp{},
		since: map[string]time.Time{}, reported: lists{}}
}

// changed reports whether a file has changed and has then stayed the same, or has lost too many servers for so long.
func (w *listWatch) changed(wait time.Duration) (is bool) {
	for path := range w.inForce {
		now := stamp(path)
		if now.same(w.seen[path]) && !now.same(w.read[path]) || w.isOld(path, wait) {
			w.read[path], is = now, true
		}
		w.seen[path] = now
	}
	return is
}

// isOld reports whether the file of a list has lost too many servers for so long.
func (w *listWatch) isOld(path string, wait time.Duration) bool {
	since, is := w.since[path]
	return is && time.Since(since) >= wait
}

// lookAtLists takes lists that have changed.
func (f *configFile) lookAtLists() (now lists, take bool) {
	w, wait := &f.lists, f.current.Config.Global.ShrinkWait.Duration()
	if !w.changed(wait) {
		return nil, false
	}
	now = f.d.Config.readLists(f.current.Text, w.inForce, func(path string) bool { return !w.isOld(path, wait) })
	same := func(a, b parser.List) bool { return slices.Equal(a.Servers, b.Servers) }
	f.reportLists(now)
	return now, !maps.EqualFunc(now, w.inForce, same)
}

// reportLists reports the begin of trouble with a list, and its end.
func (f *configFile) reportLists(now lists) {
	w := &f.lists
	f.d.tally.setLists(now)
	for _, path := range slices.Sorted(maps.Keys(now)) {
		if _, waits := w.since[path]; !now[path].Shrunk {
			delete(w.since, path)
		} else if !waits {
			w.since[path] = time.Now()
		}
		trouble, was := now[path].Trouble, w.reported[path].Trouble
		switch {
		case trouble == was:
		case trouble != "":
			f.d.say(notify.ListFailed, fmt.Sprintf("List %s is not used: %s", path, trouble))
		default:
			f.d.say(notify.ListRecovered, fmt.Sprintf("List %s is used again", path))
		}
	}
	w.reported = now
}

// adoptLists notes the lists in force, and keeps the good ones for the next start.
func (f *configFile) adoptLists() {
	w := &f.lists
	w.inForce = f.current.Lists
	f.d.tally.forget(notify.KeepFailed)
	for path, list := range w.inForce {
		if _, known := w.seen[path]; !known {
			w.seen[path], w.read[path] = stamp(path), stamp(path)
		}
		if list.Trouble == "" {
			f.d.failed(notify.KeepFailed, "A list of real servers can't be kept for the next start",
				saveList(path, list.Servers))
		}
	}
	f.reportLists(w.inForce)
}
