package checker

import (
	"net"
	"syscall"
)

// growReadBuffer makes room for the replies of thousands of servers, beyond net.core.rmem_max where
// that is permitted.
func growReadBuffer(c *net.IPConn, size int) {
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		if syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, size) != nil {
			syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, size)
		}
	})
}
