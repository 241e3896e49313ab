package main

import (
	"encoding/json"
	"fmt"
	"os"
	"syscall"
	"time"
)

const (
	notAnswered = -1
	// What is under way when the end is asked for may still arrive.
	lastAnswers = 2 * time.Second
)

// steady sends over its tunnels on a fixed schedule, whether or not the answers keep up, until its stdin ends. Then it
// says of every message how long it took, counted from when it was due: message i was due at startMs + i * everyUs.
type steady struct {
	message []byte
	start   time.Time
	every   time.Duration
	turn    int
	tunnels []*tunnel
	took    []float64
	missing int
	until   time.Time
	result  steadyResult
}

type steadyResult struct {
	Event     string    `json:"event"`
	StartMs   float64   `json:"startMs"`
	EveryUs   float64   `json:"everyUs"`
	Tunnels   int       `json:"tunnels"`
	Ended     int       `json:"ended"`
	FirstErr  string    `json:"firstError,omitempty"`
	LatencyUs []float64 `json:"latenciesUs"`
}

func runSteady(l *loop, o options) error {
	if o.rate <= 0 {
		return fmt.Errorf("--rate is missing: messages in a second, over all tunnels")
	}
	s := &steady{message: maskedMessage(o.bytes), every: time.Second / time.Duration(o.rate)}
	var err error
	if s.tunnels, err = openAll(l, o, o.path, s); err != nil {
		return err
	}
	if err := say(event{Event: "open"}); err != nil {
		return err
	}
	whenStdinEnds(l, func() { s.until = time.Now().Add(lastAnswers) })
	s.start = time.Now()
	err = l.run(func(now time.Time) time.Time {
		if s.until.IsZero() {
			return s.sendDue(now)
		}
		if s.missing == 0 || now.After(s.until) {
			l.stop()
		}
		return s.until
	})
	if err != nil {
		return err
	}
	s.result.StartMs, s.result.EveryUs = unixMs(s.start), float64(s.every)/1e3
	s.result.Tunnels, s.result.LatencyUs = len(s.tunnels), s.took
	s.result.Event = "result"
	return say(s.result)
}

func (s *steady) sendDue(now time.Time) time.Time {
	for {
		due := s.start.Add(time.Duration(s.turn) * s.every)
		if due.After(now) {
			return due
		}
		t := s.tunnels[s.turn%len(s.tunnels)]
		t.sent = append(t.sent, due)
		t.conn.write(s.message)
		s.took = append(s.took, notAnswered)
		s.missing++
		s.turn++
	}
}

func (s *steady) tunnelOpened(*tunnel) {}

func (s *steady) messageReceived(t *tunnel, _ [stampBytes]byte) {
	if len(t.sent) == 0 {
		return
	}
	due := t.sent[0]
	t.sent = append(t.sent[:0], t.sent[1:]...)
	s.took[int(due.Sub(s.start)/s.every)] = float64(time.Since(due).Microseconds())
	s.missing--
}

func (s *steady) tunnelEnded(t *tunnel, err error) {
	s.result.Ended++
	s.missing -= len(t.sent)
	if s.result.FirstErr == "" {
		s.result.FirstErr = fmt.Sprintf("a tunnel ended: %v", orClose(err))
	}
}

// event is a line for whoever started us.
type event struct {
	Event string `json:"event"`
}

func say(line any) error { return json.NewEncoder(os.Stdout).Encode(line) }

// whenStdinEnds calls once the other end of stdin is closed, so also when whoever started us is gone.
func whenStdinEnds(l *loop, do func()) {
	fd := int(os.Stdin.Fd())
	_ = l.watch(fd, func() {
		var buffer [256]byte
		if n, err := syscall.Read(fd, buffer[:]); n == 0 || err != nil {
			syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_DEL, fd, nil)
			do()
		}
	})
}

func unixMs(at time.Time) float64 { return float64(at.UnixMicro()) / 1e3 }
