package daemon

import (
	"slices"

	"ldirectord/internal/plan"
)

// tlsWatch notices, with autoreload, when a certificate, key, authority or password was renewed in place.
type tlsWatch struct {
	plan     *plan.Plan // nil: nothing is watched
	files    []string
	last     []fileStamp
	secrets  []fileStamp // of Config.Secrets, when they were read
	settling bool        // the files may have changed since they were read
}

// follow watches the files of a new configuration.
func (w *tlsWatch) follow(l *Loaded) {
	*w = tlsWatch{}
	files := slices.Concat(l.Plan.TLS.Names(), l.Config.Secrets)
	if l.Config.Global.AutoReload && len(files) > 0 {
		*w = tlsWatch{plan: l.Plan, files: files, last: stamps(files), secrets: stamps(l.Config.Secrets),
			settling: true}
	}
}

// renewed returns the files with new content. It is called every second. A change counts after a second without another
// one, because a certificate and its key are written one after the other. A missing file is waited for. Each renewal is
// returned once.
func (w *tlsWatch) renewed() []string {
	if w.plan == nil {
		return nil
	}
	now := stamps(w.files)
	if !slices.EqualFunc(now, w.last, fileStamp.same) {
		w.last, w.settling = now, true
		return nil
	}
	if !w.settling || slices.Contains(now, fileStamp{}) {
		return nil
	}
	w.settling = false
	renewed := w.plan.TLS.Renewed()
	for i, path := range w.plan.Config.Secrets {
		if now := stamp(path); !now.same(w.secrets[i]) {
			renewed, w.secrets[i] = append(renewed, path), now
		}
	}
	return renewed
}

func stamps(paths []string) []fileStamp {
	list := make([]fileStamp, len(paths))
	for i, path := range paths {
		list[i] = stamp(path)
	}
	return list
}
