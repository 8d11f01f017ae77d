// Package host reads from Linux what the report needs: a process's CPU time and memory, the machine, and how fast its
// disk syncs.
package host

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// The kernel counts CPU time for /proc in units of 1/100 s on every architecture that Go runs on.
const tick = time.Second / 100

// CPU is the CPU time, user and system, of all threads of a process so far.
func CPU(pid int) (time.Duration, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseStat(raw)
}

func parseStat(raw []byte) (time.Duration, error) {
	// The second field is the command's name in parentheses and may hold anything, parentheses too.
	fields := bytes.Fields(raw[bytes.LastIndexByte(raw, ')')+1:])
	const utime, stime = 14 - 3, 15 - 3 // numbers as in proc(5), less the fields cut off
	if len(fields) <= stime {
		return 0, fmt.Errorf("process status %q", raw)
	}
	user, err := strconv.ParseInt(string(fields[utime]), 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(string(fields[stime]), 10, 64)
	if err != nil {
		return 0, err
	}
	return time.Duration(user+system) * tick, nil
}

// OwnCPU is the CPU time of this process so far.
func OwnCPU() time.Duration {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		return 0 // cannot fail with these arguments
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

// BusyCPU is the CPU time of the whole machine so far: every process, the kernel, and what the host of a virtual
// machine took away.
func BusyCPU() (time.Duration, error) {
	raw, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	return parseMachineStat(raw)
}

func parseMachineStat(raw []byte) (time.Duration, error) {
	line, _, _ := bytes.Cut(raw, []byte("\n"))
	fields := bytes.Fields(line)
	const idle, iowait, steal = 4, 5, 8 // by proc(5), the line's name being 0; guest time after steal is part of user
	if len(fields) <= steal || string(fields[0]) != "cpu" {
		return 0, fmt.Errorf("machine status %q", line)
	}
	var busy time.Duration
	for i, f := range fields[1 : steal+1] {
		n, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil {
			return 0, err
		}
		if i+1 != idle && i+1 != iowait {
			busy += time.Duration(n) * tick
		}
	}
	return busy, nil
}

// Memory is a process's resident memory in bytes.
type Memory struct {
	Now  int64 // VmRSS
	Peak int64 // VmHWM
}

// MemoryOf reads the memory of a running process.
func MemoryOf(pid int) (Memory, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Memory{}, err
	}
	return parseStatus(raw)
}

func parseStatus(raw []byte) (Memory, error) {
	var m Memory
	for line := range bytes.Lines(raw) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		var dst *int64
		switch string(name) {
		case "VmRSS":
			dst = &m.Now
		case "VmHWM":
			dst = &m.Peak
		default:
			continue
		}
		fields := bytes.Fields(value)
		if len(fields) != 2 || string(fields[1]) != "kB" {
			return m, fmt.Errorf("process status %q", line)
		}
		kb, err := strconv.ParseInt(string(fields[0]), 10, 64)
		if err != nil {
			return m, err
		}
		*dst = kb << 10
	}
	if m.Now == 0 || m.Peak == 0 {
		return m, fmt.Errorf("no VmRSS and VmHWM in the process status")
	}
	return m, nil
}
