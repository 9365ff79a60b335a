package daemon

import (
	"crypto/sha256"
	"maps"
	"slices"

	"ldirectord/internal/plan"
	"ldirectord/internal/runfile"
)

// tlsWatch notices when a certificate, key, authority or password is renewed in place, unless autoreload is off.
type tlsWatch struct {
	plan     *plan.Plan // nil: nothing is watched
	files    []string
	looks    look[versions]
	last     versions
	settling bool // the files may have changed since they were read
	refused  bool // the files as last read were refused
	unread   bool // a file can't be read for a while, which was reported
}

// follow watches the files of a new configuration.
func (w *tlsWatch) follow(l *Loaded) {
	*w = tlsWatch{}
	files := slices.AppendSeq(l.Plan.TLS.Names(), maps.Keys(l.Config.Secrets))
	if l.Config.Global.AutoReload && len(files) > 0 {
		*w = tlsWatch{plan: l.Plan, files: files, settling: true}
		w.last = w.now()
	}
}

// renewed returns the files with new content, or those that are missing, and reports each change only once. It is
// called every second. A change counts after a second without a further change, because a certificate and its key are
// written one after the other. While a file is missing, no file is read. An error means that a file can't be read now;
// then the next call tries again.
func (w *tlsWatch) renewed() (renewed, missing []string, err error) {
	if w.plan == nil {
		return nil, nil, nil
	}
	now := w.now()
	if !now.same(w.last) {
		w.last, w.settling = now, true
		return nil, nil, nil
	}
	if !w.settling || now == nil {
		return nil, nil, nil
	}
	for _, path := range w.files {
		if err := runfile.TryRead(path); runfile.MayPass(err) {
			return nil, nil, err
		}
		if now[path] == (fileStamp{}) {
			missing = append(missing, path)
		}
	}
	w.settling = false
	if missing != nil {
		return nil, missing, nil
	}
	renewed = w.plan.TLS.Renewed()
	for _, path := range slices.Sorted(maps.Keys(w.plan.Config.Secrets)) {
		secret, _, err := Source{}.readSecret(path)
		if err != nil || w.refused || sha256.Sum256([]byte(secret)) != w.plan.Config.Secrets[path] {
			renewed = append(renewed, path)
		}
	}
	return renewed, nil, nil
}

// now returns the versions of the files, or nil while the first look hangs.
func (w *tlsWatch) now() versions { return w.looks.now(versionsOf(w.files)) }
