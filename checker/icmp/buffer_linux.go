package icmp

import (
	"net"
	"syscall"
)

// forceBuffers sets the sizes of buffers beyond net.core.rmem_max and wmem_max, where that is permitted.
func forceBuffers(c *net.IPConn, size int) {
	if raw, err := c.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) {
			syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, size)
			syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUFFORCE, size)
		})
	}
}
