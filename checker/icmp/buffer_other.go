//go:build !linux

package icmp

import "net"

// growBuffers makes room for the replies of thousands of servers, and for the requests to those that are silent.
func growBuffers(c *net.IPConn, size int) {
	c.SetReadBuffer(size)
	c.SetWriteBuffer(size)
}
