package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"ldirectord/internal/notify"
	"ldirectord/internal/runfile"
)

// statePath returns the path of data that is kept about a file across a reboot. It is in the unit's state folder if
// there is one, and otherwise in the usual folder.
func statePath(what, path string) string {
	dir := "/var/lib/ldirectord"
	if ofUnit := os.Getenv("STATE_DIRECTORY"); filepath.IsAbs(ofUnit) {
		dir = ofUnit
	}
	sum := sha256.Sum256([]byte(path))
	return filepath.Join(dir, what+"-"+hex.EncodeToString(sum[:8]))
}

// keep writes a file that must survive a reboot or a loss of power. Only its owner may read it.
func keep(path string, text []byte) error {
	if was, err := runfile.Read(path); err == nil && was != nil && string(was) == string(text) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		if errors.Is(err, syscall.EROFS) && os.Getenv("STATE_DIRECTORY") == "" {
			return nil // a container without a volume for this folder keeps nothing
		}
		return err
	}
	if err := runfile.Write(path, text, 0o600); err != nil {
		return err
	}
	return runfile.Sync(path)
}

// keeps reports whether this daemon saves the configuration in force.
func (f *configFile) keeps() bool {
	return os.Getenv("STATE_DIRECTORY") != "" || os.Geteuid() == 0 && f.d.Table.Live != nil
}

// keepGood saves the configuration in force, with its parts, for start --last-good. From then on, it does not count as
// taken back. A configuration on trial is not saved, because it may be in force only for a short time.
func (f *configFile) keepGood(text []byte) {
	if !f.keeps() || f.trial != nil {
		return
	}
	var err error
	if path := f.d.Config.Path; TakenBack(path, text) != "" {
		err = runfile.Remove(statePath("back", path))
	}
	f.d.settled(notify.KeepFailed, "The file still counts as taken back", err)
	err = keep(statePath("config", f.d.Config.Path), text)
	f.d.settled(notify.KeepFailed, "The configuration can't be kept for start --last-good", err)
}

// LoadLastGood reads the configuration that was last saved as good. It returns an error if that is refused now.
func LoadLastGood(ctx context.Context, s Source) (*Loaded, error) {
	path := statePath("config", s.Path)
	text, err := runfile.Read(path)
	since := LastGood(s.Path)
	if err == nil && (text == nil || since.IsZero()) {
		err = errors.New("there is none in " + filepath.Dir(path))
	}
	if err != nil {
		return nil, runfile.While("reading the last good configuration", err)
	}
	l := s.load(ctx, text, nil, true)
	if l.Plan == nil {
		return nil, errors.New("the last good configuration is refused: " + l.Refusals()[0])
	}
	l.GoodSince = since.UTC()
	return l, nil
}

// LastGood returns the time at which the saved configuration of a file came into force, or zero if none is saved.
func LastGood(path string) time.Time {
	info, err := os.Stat(statePath("config", path))
	if err != nil || info.Size() == 0 { // a loss of power may leave an empty file
		return time.Time{}
	}
	return info.ModTime()
}
