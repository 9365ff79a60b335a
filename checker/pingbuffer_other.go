//go:build !linux

package checker

import "net"

// growReadBuffer makes room for the replies of thousands of servers.
func growReadBuffer(c *net.IPConn, size int) { c.SetReadBuffer(size) }
