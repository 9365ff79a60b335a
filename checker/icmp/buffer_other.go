//go:build !linux

package icmp

import "net"

func forceBuffers(*net.IPConn, int) {}
