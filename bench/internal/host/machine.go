package host

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Machine is what has to stand beside every number.
type Machine struct {
	Cores      int    `json:"cores"`
	CPU        string `json:"cpu"`
	MemoryMB   int64  `json:"memory_mb"`
	Go         string `json:"go"`
	Kernel     string `json:"kernel"`
	Filesystem string `json:"filesystem"`
	Device     string `json:"device"`
	Load       string `json:"load"` // load averages before the first run: was the machine idle?
}

// Inspect describes this machine; the file system is that of dir.
func Inspect(dir string) Machine {
	m := Machine{
		Cores:  runtime.NumCPU(),
		CPU:    cmp.Or(field("/proc/cpuinfo", "model name"), runtime.GOARCH),
		Go:     runtime.Version(),
		Kernel: strings.TrimSpace(read("/proc/sys/kernel/osrelease")),
	}
	var kb int64
	if _, err := fmt.Sscan(field("/proc/meminfo", "MemTotal"), &kb); err == nil {
		m.MemoryMB = kb >> 10
	}
	if f := strings.Fields(read("/proc/loadavg")); len(f) >= 3 {
		m.Load = strings.Join(f[:3], " ")
	}
	m.Filesystem, m.Device = mount(read("/proc/self/mounts"), dir)
	return m
}

// InMemory says whether the file system keeps its files in memory, where a sync costs nothing and proves nothing.
func (m Machine) InMemory() bool { return m.Filesystem == "tmpfs" || m.Filesystem == "ramfs" }

func (m Machine) String() string {
	return fmt.Sprintf("%d cores, %s, %d MB, %s, Linux %s, %s on %s, load %s",
		m.Cores, m.CPU, m.MemoryMB, m.Go, m.Kernel, m.Filesystem, m.Device, m.Load)
}

// mount finds the longest mount point above dir.
func mount(mounts, dir string) (fstype, device string) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "unknown", "unknown"
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	fstype, device = "unknown", "unknown"
	longest := 0
	for line := range strings.Lines(mounts) {
		f := strings.Fields(line)
		if len(f) < 3 || len(f[1]) < longest {
			continue
		}
		if rest, ok := strings.CutPrefix(dir, f[1]); ok && (rest == "" || rest[0] == '/' || f[1] == "/") {
			device, fstype, longest = f[0], f[2], len(f[1])
		}
	}
	return fstype, device
}

// field is the first value of a name in a file of "name : value" lines.
func field(path, name string) string {
	for line := range bytes.Lines([]byte(read(path))) {
		key, value, ok := strings.Cut(string(line), ":")
		if ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// read is empty where a file cannot be read: the report then lacks a word, no more.
func read(path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(raw)
}
