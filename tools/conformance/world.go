package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A scenario runs in a world of its own: network, processes, mounts and host name. This program starts itself there as
// the first process, which builds the world, and once more as the process that takes the steps. After that the first
// process only reaps: daemons become its children.
const (
	worldArgument    = "-world"
	scenarioArgument = "-scenario"

	scratch   = "/run/lab" // $W in scenarios
	configDir = "/etc/ha.d"
)

// job is what the processes in a world are told.
type job struct {
	Path            string // of the scenario
	Binary          program
	Shadow          string // our program, whose shadow is to run beside it; "": none
	Record, Verbose bool
}

// outcome is what comes back.
type outcome struct {
	Failure  string // the first difference; empty when there was none
	Log      string // steps and the daemon's log, where asked for
	Recorded string
	Seconds  float64
}

func inWorld(ctx context.Context, j job) outcome {
	start := time.Now()
	told, err := json.Marshal(j)
	if err != nil {
		return outcome{Failure: err.Error()}
	}
	var out, diagnostics bytes.Buffer
	cmd := exec.CommandContext(ctx, "/proc/self/exe", worldArgument)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(told), &out, &diagnostics
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS,
	}
	cmd.WaitDelay = 5 * time.Second // what is left in the world may hold the pipes
	err = cmd.Run()
	var o outcome
	if ctx.Err() != nil {
		o.Failure = fmt.Sprintf("not done after %.0f s", time.Since(start).Seconds())
	} else if decoding := json.Unmarshal(out.Bytes(), &o); err != nil || decoding != nil {
		o.Failure = fmt.Sprintf("the world ended early: %v: %s", errors.Join(err, decoding), &diagnostics)
	}
	o.Seconds = time.Since(start).Seconds()
	return o
}

// initialProcess is the world's process 1.
func initialProcess() int {
	told, err := io.ReadAll(os.Stdin)
	if err == nil {
		err = buildWorld()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	r, w, err := os.Pipe()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cmd := exec.Command("/proc/self/exe", scenarioArgument)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = "/", r, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	w.Write(told)
	w.Close()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if err != nil && err != syscall.EINTR {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		if pid == cmd.Process.Pid {
			return status.ExitStatus()
		}
	}
}

// buildWorld covers what the machine has with empty file systems and makes the network.
func buildWorld() error {
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	if err := os.MkdirAll(configDir, 0o755); err != nil {
		return err
	}
	for _, dir := range []string{"/run", "/var/log", configDir, "/dev"} {
		if err := syscall.Mount("tmp", dir, "tmpfs", 0, "mode=755"); err != nil {
			return fmt.Errorf("mounting %s: %w", dir, err)
		}
	}
	for _, dir := range []string{scratch + "/bin", configDir + "/conf", "/run/netns", "/run/lock/subsys",
		"/dev/shm"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := makeDevices(); err != nil {
		return err
	}
	if err := replaceSystemFiles(); err != nil {
		return err
	}
	if err := syscall.Sethostname([]byte("director")); err != nil {
		return fmt.Errorf("setting the host name: %w", err)
	}
	return makeNetwork()
}

func makeDevices() error {
	for name, number := range map[string]int{"null": 1<<8 | 3, "zero": 1<<8 | 5, "full": 1<<8 | 7,
		"random": 1<<8 | 8, "urandom": 1<<8 | 9, "tty": 5 << 8} {
		path := "/dev/" + name
		if err := syscall.Mknod(path, syscall.S_IFCHR|0o666, number); err != nil {
			return fmt.Errorf("making %s: %w", path, err)
		}
		if err := os.Chmod(path, 0o666); err != nil { // whatever the umask
			return err
		}
	}
	return os.Symlink("/proc/self/fd", "/dev/fd")
}

// replaceSystemFiles gives the world its own names, so that no name server is asked.
func replaceSystemFiles() error {
	for name, text := range map[string]string{
		"hosts":         "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 director.example director\n",
		"resolv.conf":   "",
		"nsswitch.conf": "hosts: files\nservices: files\nprotocols: files\npasswd: files\ngroup: files\n",
	} {
		path := filepath.Join(scratch, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
		err := syscall.Mount(path, "/etc/"+name, "", syscall.MS_BIND, "")
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("replacing /etc/%s: %w", name, err)
		}
	}
	return nil
}

// makeNetwork gives the director every address: 10.1.0.N for virtual services, 10.2.0.N for real servers and
// 10.3.0.N for fallbacks, with N from 1 to 6, and the same as fd00:1::N and so on.
func makeNetwork() error {
	var batch strings.Builder
	batch.WriteString("link set lo up\nlink add d0 type dummy\nlink set d0 up\n")
	for net := 1; net <= 3; net++ {
		for host := 1; host <= 6; host++ {
			fmt.Fprintf(&batch, "addr add 10.%d.0.%d/32 dev d0\n", net, host)
			fmt.Fprintf(&batch, "addr add fd00:%d::%d/128 dev d0 nodad\n", net, host)
		}
	}
	cmd := exec.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(batch.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("making the network: %v: %s", err, out)
	}
	return nil
}
