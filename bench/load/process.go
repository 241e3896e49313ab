package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// cpuNanos is the time on a CPU of all threads of these processes that live now.
func cpuNanos(pids []int) (uint64, error) {
	var sum uint64
	for _, pid := range pids {
		paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		if err != nil || len(paths) == 0 {
			return 0, fmt.Errorf("no process %d", pid)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				continue // the thread has ended since
			}
			nanos, err := strconv.ParseUint(strings.Fields(string(text))[0], 10, 64)
			if err != nil {
				return 0, fmt.Errorf("%s: %w", path, err)
			}
			sum += nanos
		}
	}
	return sum, nil
}

// pssBytes is the memory of these processes, shared pages divided among those that share them.
func pssBytes(pids []int) (uint64, error) {
	var sum uint64
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return 0, err
		}
		for line := range strings.SplitSeq(string(text), "\n") {
			if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
				kilobytes, err := strconv.ParseUint(strings.Fields(rest)[0], 10, 64)
				if err != nil {
					return 0, err
				}
				sum += kilobytes << 10
			}
		}
	}
	return sum, nil
}
