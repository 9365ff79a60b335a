package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ldirectord/director"
	"ldirectord/notify"
)

// followTLS tells, with autoreload, when a certificate, key or authority of the current configuration was renewed
// under its old name. It ends the watch before.
func (f *configFile) followTLS(ctx context.Context) {
	f.endTLS()
	ctx, f.endTLS = context.WithCancel(ctx)
	if plan := f.loaded.plan; f.loaded.config.Global.AutoReload && len(plan.TLSFiles()) > 0 {
		go f.awaitRenewals(ctx, plan)
	}
}

// awaitRenewals looks at the files each second. They count when nothing has changed for that long, as a certificate
// and its key are written one after the other. While one is away it is waited for; what is refused is not tried again
// until a file changes.
func (f *configFile) awaitRenewals(ctx context.Context, plan *director.Plan) {
	poll := time.NewTicker(pollTime)
	defer poll.Stop()
	last, settling := stamps(plan.TLSFiles()), true // they may have changed since they were read
	for {
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		}
		now := stamps(plan.TLSFiles())
		if !slices.EqualFunc(now, last, fileStamp.same) {
			last, settling = now, true
			continue
		}
		if !settling || slices.Contains(now, fileStamp{}) {
			continue
		}
		settling = false
		if changed := plan.Renewed(); len(changed) > 0 {
			select {
			case f.renewed <- changed:
			case <-ctx.Done():
				return
			}
		}
	}
}

func stamps(paths []string) []fileStamp {
	list := make([]fileStamp, len(paths))
	for i, path := range paths {
		list[i] = stamp(path)
	}
	return list
}

// renew reads the configuration again because some of these files are others now.
func (f *configFile) renew(ctx context.Context, changed []string) {
	f.say(notify.ConfigChanged, fmt.Sprintf("Certificate, key or authority has changed on disk: %s", strings.Join(changed, " or ")))
	f.begin(ctx, reading{auto: true})
}
