package daemon

import (
	"slices"

	"ldirectord/director"
)

// tlsWatch notices, with autoreload, when a certificate, key or authority was renewed under its old name.
type tlsWatch struct {
	plan     *director.Plan // nil: nothing is watched
	last     []fileStamp
	settling bool // the files may have changed since they were read
}

// follow watches the files of a configuration instead of those before.
func (w *tlsWatch) follow(l *Loaded) {
	*w = tlsWatch{}
	if files := l.Plan.TLS.Names(); l.Config.Global.AutoReload && len(files) > 0 {
		*w = tlsWatch{plan: l.Plan, last: stamps(files), settling: true}
	}
}

// renewed returns the files that have another content now. It is called each second. Changes count when there was none
// for that long: a certificate and its key are written one after the other. A file that is missing is waited for, and a
// renewal is returned once.
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
