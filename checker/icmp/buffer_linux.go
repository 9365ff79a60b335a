package icmp

import (
	"net"
	"syscall"
)

// growBuffers makes room for the replies of thousands of servers, and for the requests to those that are silent,
// beyond net.core.rmem_max and wmem_max where that is permitted.
func growBuffers(c *net.IPConn, size int) {
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		grow(int(fd), size, syscall.SO_RCVBUFFORCE, syscall.SO_RCVBUF)
		grow(int(fd), size, syscall.SO_SNDBUFFORCE, syscall.SO_SNDBUF)
	})
}

// grow sets the first of some options that may be set.
func grow(fd, size int, options ...int) {
	for _, option := range options {
		if syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, option, size) == nil {
			return
		}
	}
}
