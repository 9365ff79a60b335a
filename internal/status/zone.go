package status

import (
	"fmt"
	"time"
)

// Zone is the director's time zone as an offset from UTC, "+01:00"; "" if unknown. The director's own texts give times
// in this zone, so status, why and orders print all times in it.
type Zone string

const offset = "-07:00" // the form of a Zone

// ZoneHere returns the current time zone of this process.
func ZoneHere() Zone { return zoneOf(time.Now()) }

func zoneOf(t time.Time) Zone { return Zone(t.Local().Format(offset)) }

// at returns the zone. If this process is in it now, or if it is unknown, at returns time.Local, which also knows the
// offsets at other times of the year.
func (z Zone) at(now time.Time) *time.Location {
	there, err := time.Parse(offset, string(z))
	if err != nil || z == zoneOf(now) {
		return time.Local
	}
	_, seconds := there.Zone()
	return time.FixedZone("UTC"+string(z), seconds)
}

// clock returns the time at which something happened, with the day if that was not today.
func (z Zone) clock(at, now time.Time) string {
	zone := z.at(now)
	at, now = at.In(zone), now.In(zone)
	if day := time.DateOnly; at.Format(day) == now.Format(day) {
		return at.Format(time.TimeOnly)
	}
	return at.Format("Jan 02 15:04")
}

func (r *Report) clock(at time.Time) string { return r.Zone.clock(at, r.Time) }

// Notice returns a line that names the zone, and the zone itself. The line is "" if this process is in the zone, or if
// the zone is unknown.
func (z Zone) Notice(now time.Time) (line string, zone *time.Location) {
	if zone = z.at(now); zone == time.Local {
		return "", zone
	}
	return fmt.Sprintf("times are in the director's time zone, %s\n", zone), zone
}
