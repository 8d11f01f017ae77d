package host

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	line := "1234 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 9 0 100 0 0\n"
	got, err := parseStat([]byte(line))
	if err != nil || got != 3*time.Second {
		t.Errorf("got %v, %v, want 3s", got, err)
	}
	for _, bad := range []string{"", "1 (x) S 1 2", "1 (x) S 1 2 3 4 5 6 7 8 9 10 y 50 0"} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
}

func TestParseMachineStat(t *testing.T) {
	t.Parallel()
	got, err := parseMachineStat([]byte("cpu  100 10 50 9999 888 5 15 20 30 0\ncpu0 1 1 1 1\n"))
	if err != nil || got != 2*time.Second {
		t.Errorf("got %v, %v, want 2s", got, err)
	}
	for _, bad := range []string{"", "cpu 1 2 3", "intr 1 2 3 4 5 6 7 8 9", "cpu 1 2 3 4 5 x 7 8 9"} {
		if _, err := parseMachineStat([]byte(bad)); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
}

func TestParseStatus(t *testing.T) {
	t.Parallel()
	m, err := parseStatus([]byte("Name:\tpeal\nVmHWM:\t   60416 kB\nVmRSS:\t   51200 kB\n"))
	if err != nil || m.Now != 50<<20 || m.Peak != 59<<20 {
		t.Errorf("got %+v, %v", m, err)
	}
	for _, bad := range []string{"", "VmHWM:\t1 kB\n", "VmHWM:\t1 pages\nVmRSS:\t1 kB\n", "VmHWM:\tx kB\nVmRSS:\t1 kB\n"} {
		if _, err := parseStatus([]byte(bad)); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
}

func TestOwnProcess(t *testing.T) {
	t.Parallel()
	before := OwnCPU()
	for OwnCPU()-before < 30*time.Millisecond { // burn some, so that the coarse count has it too
	}
	cpu, err := CPU(os.Getpid())
	if err != nil || cpu == 0 {
		t.Errorf("CPU = %v, %v", cpu, err)
	}
	m, err := MemoryOf(os.Getpid())
	if err != nil || m.Peak < m.Now || m.Now < 1<<20 {
		t.Errorf("memory %+v, %v", m, err)
	}
}

func TestTree(t *testing.T) {
	t.Parallel()
	child := exec.Command("cat") // waits for its input to end
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	both, err := Tree(os.Getpid())
	if err != nil || both.Resident == 0 {
		t.Fatalf("%+v, %v", both, err)
	}
	one, err := Tree(child.Process.Pid)
	if err != nil || one.Resident == 0 || one.Resident >= both.Resident {
		t.Errorf("the child has %+v of %+v, %v", one, both, err)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	if err := child.Wait(); err != nil {
		t.Error(err)
	}
	if u, err := Tree(child.Process.Pid); err == nil {
		t.Errorf("one that has ended: %+v", u)
	}
}

func TestParseProcess(t *testing.T) {
	t.Parallel()
	p, err := parseProcess([]byte("1234 (a) b (c) S 77 2 3 4 5 6 7 8 9 10 250 50 60 40 20 0 9 0 100 0 0\n"))
	if err != nil || p.pid != 1234 || p.parent != 77 || p.cpu != 4*time.Second {
		t.Errorf("got %+v, %v", p, err)
	}
	if _, err := parseProcess([]byte("1234 (x) S 1 2 3 4 5 6 7 8 9 10 1 1\n")); err == nil {
		t.Error("no error for a line that is too short")
	}
}

func TestMount(t *testing.T) {
	t.Parallel()
	const mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /nowhere tmpfs rw 0 0\n/dev/vdb /nowhere/disk xfs rw 0 0\n"
	for dir, want := range map[string]string{
		"/nowhere/disk/data": "xfs", "/nowhere/diskette": "tmpfs", "/nowhere": "tmpfs", "/nowheres": "ext4", "/": "ext4",
	} {
		if got, _ := mount(mounts, dir); got != want {
			t.Errorf("file system of %s: %s, want %s", dir, got, want)
		}
	}
	if m := Inspect(t.TempDir()); m.Cores < 1 || m.Filesystem == "unknown" || m.Kernel == "" || m.String() == "" {
		t.Errorf("machine %+v", m)
	}
	if !(Machine{Filesystem: "tmpfs"}).InMemory() || (Machine{Filesystem: "ext4"}).InMemory() {
		t.Error("which file systems are in memory")
	}
}

func TestMeasureSync(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := MeasureSync(dir, 5)
	if err != nil || s.Append.Count != 5 || s.Overwrite.Count != 5 || s.Overwrite.P50 <= 0 {
		t.Errorf("got %+v, %v", s, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := MeasureSync(dir+"/none", 1); err == nil {
		t.Error("no error for a folder that does not exist")
	}
}
