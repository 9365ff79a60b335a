package ipvsctl

import (
	"context"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Connections returns what the destinations of a service carry now; none when the service is not there.
func (k *Kernel) Connections(ctx context.Context, key Key) (map[netip.AddrPort]Connections, error) {
	found := map[netip.AddrPort]Connections{}
	err := k.request(ctx, func(c *conn) error {
		request := c.genl.request(c.genl.family, cmdGetDest, unix.NLM_F_DUMP)
		request.AddData(serviceAttr(key))
		return c.genl.execute(request, func(message []byte) error {
			attributes := nested(message, cmdAttrDest)
			dest, err := parseDest(attributes, key.IPv6)
			if err != nil {
				return err
			}
			found[dest.Addr] = parseConnections(attributes)
			return nil
		})
	})
	if err != nil {
		return nil, &OpError{Op: "connections of " + key.String(), Err: err}
	}
	return found, nil
}

func parseConnections(b []byte) (c Connections) {
	for kind, value := range attrs(b) {
		switch kind {
		case destAttrActive:
			c.Active = num32(value)
		case destAttrInactive:
			c.Inactive = num32(value)
		case destAttrPersistent:
			c.Persistent = num32(value)
		}
	}
	return c
}
