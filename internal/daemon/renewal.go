package daemon

import (
	"slices"

	"ldirectord/internal/plan"
)

// tlsWatch notices, with autoreload, when a certificate, key or authority was renewed in place.
type tlsWatch struct {
	plan     *plan.Plan // nil: nothing is watched
	last     []fileStamp
	settling bool // the files may have changed since they were read
}

// follow watches the files of a new configuration.
func (w *tlsWatch) follow(l *Loaded) {
	*w = tlsWatch{}
	if files := l.Plan.TLS.Names(); l.Config.Global.AutoReload && len(files) > 0 {
		*w = tlsWatch{plan: l.Plan, last: stamps(files), settling: true}
	}
}

// renewed returns the files with new content. It is called every second. A change counts after a second without another
// one, because a certificate and its key are written one after the other. A missing file is waited for. Each renewal is
// returned once.
func (w *tlsWatch) renewed() []string {
	if w.plan == nil {
		return nil
	}
	now := stamps(w.plan.TLS.Names())
	if !slices.EqualFunc(now, w.last, fileStamp.same) {
		w.last, w.settling = now, true
		return nil
	}
	if !w.settling || slices.Contains(now, fileStamp{}) {
		return nil
	}
	w.settling = false
	return w.plan.TLS.Renewed()
}

func stamps(paths []string) []fileStamp {
	list := make([]fileStamp, len(paths))
	for i, path := range paths {
		list[i] = stamp(path)
	}
	return list
}
