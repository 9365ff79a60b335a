package checker

import (
	"fmt"
	"net/netip"
	"time"

	"ldirectord/checker/icmp"
	"ldirectord/checker/settings"
	"ldirectord/checker/wire"
)

// Echoer sends many echo requests at once (icmp.Pinger).
type Echoer interface {
	Send([]*icmp.Echo)
	Forget(*icmp.Echo) bool
	Rest(*icmp.Echo, time.Duration) (time.Duration, error)
}

// Ping holds the settings of a check by ICMP echo requests.
type Ping struct {
	settings.Path
	Target   netip.Addr
	Timeout  time.Duration // of one attempt
	Attempts int
	Pinger   Pinger
}

// Result turns the outcome of a check's last request into the result of the check.
func (c *Ping) Result(took time.Duration, err error) Result {
	switch {
	case err == nil:
		return Result{OK: true, Stage: wire.AtMatch,
			Detail: fmt.Sprintf("echo reply after %v", took.Round(time.Microsecond))}
	case !wire.IsTimeout(err):
		return Failed(wire.AtConnect.Of(wire.StageFault("ping", err)))
	}
	silence := wire.NewFault(err, "ping: no answer in %v", c.Timeout)
	if c.Attempts > 1 {
		silence = wire.NewFault(err, "ping: no answer to %d requests, %v each", c.Attempts, c.Timeout)
	}
	return Failed(wire.AtConnect.Of(silence))
}
