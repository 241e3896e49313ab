package main

import (
	"encoding/json"
	"io"
	"os"
	"slices"
	"time"
)

type result struct {
	Event     string             `json:"event"`
	Units     int                `json:"units"`
	Seconds   float64            `json:"seconds"`
	PerSecond float64            `json:"perSecond"`
	Errors    int                `json:"errors"`
	FirstErr  string             `json:"firstError,omitempty"`
	LatencyUs map[string]float64 `json:"latencyUs,omitempty"`
	Bytes     int                `json:"bytes"`
	CPUUs     map[string]float64 `json:"cpuUs,omitempty"`
	PSSBytes  map[string]uint64  `json:"pssBytes,omitempty"`
	Tunnels   int                `json:"tunnels"`
}

func (r result) print(w io.Writer) error {
	r.Event = "result"
	return json.NewEncoder(w).Encode(r)
}

// window counts what happens between its begin and its end.
type window struct {
	pids      []int
	begins    time.Time
	ends      time.Time
	isOpen    bool
	isOver    bool
	latencies []time.Duration
	units     int
	bytes     int
	errors    int
	firstErr  error
	openedAt  time.Time
	closedAt  time.Time
	cpu       [2]uint64
	ownCPU    [2]uint64
	err       error
}

func newWindow(o options) *window {
	begins := time.Now().Add(o.warmup)
	return &window{
		pids:      o.pids,
		begins:    begins,
		ends:      begins.Add(o.window),
		latencies: make([]time.Duration, 0, 1<<20),
	}
}

// look opens and closes the window when it is time; true when it is over.
func (w *window) look(now time.Time) bool {
	if !w.isOpen && !now.Before(w.begins) {
		w.isOpen = true
		w.readCPU(0)
		w.openedAt = time.Now()
	}
	if !w.isOver && !now.Before(w.ends) {
		w.isOver = true
		w.closedAt = time.Now()
		w.readCPU(1)
	}
	return w.isOver
}

// next edge of the window after now.
func (w *window) nextEdge() time.Time {
	if !w.isOpen {
		return w.begins
	}
	return w.ends
}

func (w *window) readCPU(edge int) {
	var err error
	if w.cpu[edge], err = cpuNanos(w.pids); err != nil {
		w.err = err
	}
	if w.ownCPU[edge], err = cpuNanos([]int{os.Getpid()}); err != nil {
		w.err = err
	}
}

// count takes a unit that took so long; outside the window it does nothing.
func (w *window) count(latency time.Duration, bytes int) {
	if !w.isOpen || w.isOver {
		return
	}
	w.units++
	w.bytes += bytes
	w.latencies = append(w.latencies, latency)
}

// fail counts an error, in the window or not.
func (w *window) fail(err error) {
	w.errors++
	if w.firstErr == nil {
		w.firstErr = err
	}
}

func (w *window) result(tunnels int) (result, error) {
	seconds := w.closedAt.Sub(w.openedAt).Seconds()
	r := result{
		Units:     w.units,
		Seconds:   seconds,
		PerSecond: float64(w.units) / seconds,
		Errors:    w.errors,
		LatencyUs: quantiles(w.latencies),
		Bytes:     w.bytes,
		CPUUs: map[string]float64{
			"watched": float64(w.cpu[1]-w.cpu[0]) / 1e3,
			"load":    float64(w.ownCPU[1]-w.ownCPU[0]) / 1e3,
		},
		Tunnels: tunnels,
	}
	if w.firstErr != nil {
		r.FirstErr = w.firstErr.Error()
	}
	return r, w.err
}

func quantiles(latencies []time.Duration) map[string]float64 {
	if len(latencies) == 0 {
		return nil
	}
	slices.Sort(latencies)
	at := func(share float64) float64 {
		index := min(int(share*float64(len(latencies))), len(latencies)-1)
		return float64(latencies[index]) / 1e3
	}
	return map[string]float64{"p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "p999": at(0.999), "max": at(1)}
}
