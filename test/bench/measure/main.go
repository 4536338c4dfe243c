// Command measure runs a program and writes its usage, in JSON, to the file that
// is its first argument. Linux counts the memory of the parent at the start of a
// process towards the peak memory of the process, so the parent must be as small
// as this one.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// usage is what the run of a program used: times in nanoseconds, and peak
// memory in bytes.
type usage struct{ Wall, CPU, Peak int64 }

func main() {
	command := exec.Command(os.Args[2], os.Args[3:]...) //nolint:gosec // Programs that the benchmark builds.
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	begin := time.Now()
	err := command.Run()
	wall := time.Since(begin)
	state := command.ProcessState
	if state == nil {
		fail(err)
	}
	resources, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		fail("this system does not report what a process used")
	}
	text, err := json.Marshal(usage{Wall: int64(wall), CPU: int64(state.UserTime() + state.SystemTime()), Peak: resources.Maxrss * 1024})
	if err == nil {
		err = os.WriteFile(os.Args[1], text, 0o600)
	}
	if err != nil {
		fail(err)
	}
	os.Exit(state.ExitCode())
}

func fail(why any) {
	fmt.Fprintln(os.Stderr, "measure:", why)
	os.Exit(125)
}
