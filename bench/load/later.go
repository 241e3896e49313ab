package main

import (
	"container/heap"
	"time"
)

// later is what is to be done at a time of its own; what is due at the same time is done in no order.
type later struct{ entries laterHeap }

type laterEntry struct {
	at time.Time
	do func()
}

func (l *later) add(at time.Time, do func()) { heap.Push(&l.entries, laterEntry{at, do}) }

// run does what is due and says when the next is (0 = nothing waits).
func (l *later) run(now time.Time) time.Time {
	for len(l.entries) > 0 && !l.entries[0].at.After(now) {
		heap.Pop(&l.entries).(laterEntry).do()
	}
	if len(l.entries) == 0 {
		return time.Time{}
	}
	return l.entries[0].at
}

type laterHeap []laterEntry

func (h laterHeap) Len() int           { return len(h) }
func (h laterHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h laterHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *laterHeap) Push(entry any)    { *h = append(*h, entry.(laterEntry)) }
func (h *laterHeap) Pop() any {
	last := len(*h) - 1
	entry := (*h)[last]
	*h = (*h)[:last]
	return entry
}
