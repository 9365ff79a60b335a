package judge

import (
	"slices"

	"ldirectord/internal/health"
)

// From the file: backup servers serve once fewer than LOW other servers serve, and drain once HIGH serve.
var backupRule = Rule{"backup", true, backup}

var backupKind = Kind{Name: "backup", Trouble: Noted,
	Says: func(v View) string {
		if !v.One.Backup {
			return ""
		}
		does := "waits"
		if _, in := v.WeightAt(v.One.Dest.Addr); !v.Rests(v.One) {
			does = "needed"
		} else if in {
			does = "drains"
		}
		return "backup, " + does + ": " + v.OwnServe()
	},
}

// backedKind only reports that the backup servers begin or cease to serve. backupKind shows what each of them does.
var backedKind = Kind{Name: "backed", OfSection: true,
	Count: func(v View) int {
		if !v.Backed {
			return 0
		}
		return 1
	},
	Begins: func(v View) Notice {
		return Notice{"backup-serves", "Backup servers take over", ": " + v.OwnServe()}
	},
	Ends: func(v View) Notice {
		return Notice{"backup-rests", "Backup servers are no longer needed", ": " + v.OwnServe()}
	},
}

// backup puts the backup servers in service when fewer than LOW of the other servers serve, until HIGH of them serve
// again. While some of the others have no result, backup servers in service stay there unless HIGH others serve. A
// backup server that is no longer needed drains, see SendOff.
func backup(p *proposal) {
	if !p.reserve {
		return
	}
	was := p.Backed
	up, unknown := p.Own()
	if p.Gathers() {
		up, unknown = 0, up+unknown // none of them is back yet
	}
	low, high := p.BackupBelow.Of(p.Weighted())
	switch {
	case up >= high:
		p.Backed = false
	case up+unknown < low, (unknown > 0 || !p.Known) && p.backupIsIn():
		p.Backed = true
	}
	for s := range p.all() {
		if !s.Backup || p.At(s.Dest.Addr) != s {
			continue
		}
		if was != p.Backed {
			delete(p.ByHand, s.Dest.Addr)
		}
		p.rest(s)
	}
}

// backupIsIn reports whether the table has a backup server in service that was not put there by hand.
func (s *State) backupIsIn() bool {
	return slices.ContainsFunc(s.Servers, func(one Server) bool {
		return one.Backup && !s.weighsNothing(&one) && !s.ByHand[one.Dest.Addr]
	})
}

// rest drains a backup server that rests and is still in the table. A failing backup server is treated like any other
// failing server.
func (p *proposal) rest(s *Server) {
	drains := false
	stays, _ := p.stays(s)
	d, in := p.Have.At(s.Dest.Addr)
	if p.Rests(s) {
		s.Why = p.by
		drains = in && !p.ByHand[s.Dest.Addr] && (s.State() != health.Down || stays)
	}
	departure := Departure{Addr: s.Dest.Addr}
	// draintime begins at weight 0
	if at, leaves := p.findDeparture(departure.Addr); leaves && (!drains || d.Weight > 0) {
		departure.Name = p.Departing[at].Name
		p.Departing = slices.Delete(p.Departing, at, at+1)
	}
	if drains {
		p.SendOff(departure, p.now)
	}
}
