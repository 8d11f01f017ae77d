package host

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Usage is what processes and all their descendants have used.
type Usage struct {
	CPU      time.Duration // of descendants that have ended, too
	Resident int64         // bytes; memory that several share counts once (PSS)
}

// process is a line of the process table.
type process struct {
	pid, parent int
	cpu         time.Duration // its own, and that of children it has waited for
}

// Tree adds up processes with all that they have started.
func Tree(roots ...int) (Usage, error) {
	procs, err := table()
	if err != nil {
		return Usage{}, err
	}
	var u Usage
	seen := map[int]bool{}
	for todo := roots; len(todo) > 0; {
		pid := todo[0]
		todo = todo[1:]
		p, ok := procs[pid]
		if !ok || seen[pid] {
			continue
		}
		seen[pid] = true
		u.CPU += p.cpu
		if u.Resident, err = addPSS(u.Resident, pid); err != nil {
			return u, err
		}
		for _, child := range procs {
			if child.parent == pid {
				todo = append(todo, child.pid)
			}
		}
	}
	if len(seen) == 0 {
		return u, fmt.Errorf("none of the processes %v runs", roots)
	}
	return u, nil
}

func table() (map[int]process, error) {
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	procs := make(map[int]process, len(paths))
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // it has just ended
		}
		p, err := parseProcess(raw)
		if err != nil {
			return nil, err
		}
		procs[p.pid] = p
	}
	return procs, nil
}

func parseProcess(raw []byte) (p process, err error) {
	if p.cpu, err = parseStat(raw); err != nil {
		return p, err
	}
	pid, _, _ := bytes.Cut(raw, []byte(" "))
	if p.pid, err = strconv.Atoi(string(pid)); err != nil {
		return p, fmt.Errorf("process status %q", raw)
	}
	fields := bytes.Fields(raw[bytes.LastIndexByte(raw, ')')+1:])
	const parent, childUser, childSystem = 4 - 3, 16 - 3, 17 - 3 // as in parseStat
	if len(fields) <= childSystem {
		return p, fmt.Errorf("process status %q", raw)
	}
	for _, i := range []int{childUser, childSystem} {
		n, err := strconv.ParseInt(string(fields[i]), 10, 64)
		if err != nil {
			return p, err
		}
		p.cpu += time.Duration(n) * tick
	}
	p.parent, err = strconv.Atoi(string(fields[parent]))
	return p, err
}

// addPSS adds a process's share of the memory it has; one that has just ended has none.
func addPSS(sum int64, pid int) (int64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return sum, nil //nolint:nilerr // see above
	}
	for line := range bytes.Lines(raw) {
		if rest, ok := bytes.CutPrefix(line, []byte("Pss:")); ok {
			fields := bytes.Fields(rest)
			if len(fields) == 0 {
				break
			}
			kb, err := strconv.ParseInt(string(fields[0]), 10, 64)
			return sum + kb<<10, err
		}
	}
	return sum, nil // a kernel thread, or one that is ending
}
