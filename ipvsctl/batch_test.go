//go:build linux

package ipvsctl

import (
	"encoding/binary"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkBatch is what a batch of 64 changes costs here: the kernel is a goroutine that acknowledges the last of them.
func BenchmarkBatch(b *testing.B) {
	ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		b.Fatal(err)
	}
	ours, kernel := os.NewFile(uintptr(ends[0]), "ours"), os.NewFile(uintptr(ends[1]), "kernel")
	defer ours.Close()
	defer kernel.Close()
	go acknowledge(kernel)
	g := &genl{file: ours, timeout: time.Minute, family: 0x20, in: make([]byte, 1<<16)}
	g.wait()
	var ops []Op
	for _, op := range Diff(nil, manyDests()) {
		if op.Kind == AddDest && len(ops) < Batch {
			ops = append(ops, op)
		}
	}
	results := make([]error, len(ops))
	b.ReportAllocs()
	for b.Loop() {
		for i := range results {
			results[i] = errPending
		}
		if err := g.changeDests(ops, results); err != nil || results[0] != nil {
			b.Fatal(err, results[0])
		}
	}
}

// acknowledge answers each message with success for the last request in it, until the other end is closed.
func acknowledge(kernel *os.File) {
	requests := make([]byte, 1<<16)
	for {
		n, err := kernel.Read(requests)
		if err != nil || n == 0 {
			return
		}
		last := requests[:n]
		for size := 0; len(last) > unix.NLMSG_HDRLEN; last = last[size:] {
			if size = int(binary.NativeEndian.Uint32(last)); size >= len(last) {
				break
			}
		}
		answer := binary.NativeEndian.AppendUint32(nil, unix.NLMSG_HDRLEN+4)
		answer = binary.NativeEndian.AppendUint16(answer, unix.NLMSG_ERROR)
		answer = append(append(answer, 0, 0), last[8:16]...) // its number and sender
		kernel.Write(append(answer, 0, 0, 0, 0))
	}
}
