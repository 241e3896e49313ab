package main

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"
)

const (
	// Loopback addresses that clients come from: a client port stays in TIME_WAIT for a minute, and one address has 28,000.
	stormSources = 8
	// Full jitter: a random share of what doubles with each try that got no Retry-After.
	backoffBase = time.Second
	backoffMost = 30 * time.Second
	// A try that has no answer for so long has failed.
	answerWithin = 20 * time.Second
)

// storm opens tunnels and keeps them open. A client that loses its tunnel comes back as the answers tell it, until it
// has a tunnel again over which a message went there and back. It ends when its stdin does.
type storm struct {
	loop        *loop
	target      netip.AddrPort
	request     []byte
	message     []byte
	firstWithin time.Duration
	origin      time.Time
	later       later
	random      *rand.Rand
	clients     []*stormClient
	started     int
	open        int
	areAllOpen  bool
	back        int
	err         error
	result      stormResult
}

// stormResult has times in milliseconds since originMs.
type stormResult struct {
	Event    string             `json:"event"`
	OriginMs float64            `json:"originMs"`
	Clients  []stormClientFacts `json:"clients"`
	Refusals []stormRefusal     `json:"refusals"`
	Failures []stormFailure     `json:"failures"`
	// How the tunnels were lost, by Close code; "none" without a Close.
	Closes map[string]int `json:"closes"`
	// Tunnels lost by clients that had come back.
	LostAgain int `json:"lostAgain"`
}

type stormClientFacts struct {
	LostMs *float64 `json:"lostMs"`
	// When it had its first 101 after the loss.
	BackMs   *float64 `json:"backMs"`
	IsProved bool     `json:"isProved"`
	Tries    int      `json:"tries"`
}

type stormRefusal struct {
	AtMs   float64 `json:"atMs"`
	Status int     `json:"status"`
	Code   string  `json:"code"`
	// Seconds; null when the answer had no Retry-After.
	RetryAfter *int `json:"retryAfter"`
}

type stormFailure struct {
	AtMs  float64 `json:"atMs"`
	Words string  `json:"words"`
}

func runStorm(l *loop, o options) error {
	target, err := netip.ParseAddrPort(o.target)
	if err != nil {
		return fmt.Errorf("--target: %w", err)
	}
	s := &storm{
		loop: l, target: target, request: requestHead(o.host, o.path), message: maskedMessage(o.bytes),
		firstWithin: o.firstWithin, origin: time.Now(), random: rand.New(rand.NewPCG(uint64(o.seed), 0)),
		clients: make([]*stormClient, o.tunnels),
		result:  stormResult{Closes: map[string]int{}, Refusals: []stormRefusal{}, Failures: []stormFailure{}},
	}
	for i := range s.clients {
		s.clients[i] = &stormClient{storm: s, number: i}
	}
	whenStdinEnds(l, l.stop)
	for range min(openingAtOnce, len(s.clients)) {
		s.openNext()
	}
	err = l.run(func(now time.Time) time.Time {
		next := s.later.run(now)
		if s.err != nil {
			l.stop()
		}
		return next
	})
	if s.err != nil {
		return s.err
	}
	if err != nil {
		return err
	}
	return s.tell()
}

func (s *storm) openNext() {
	if s.started == len(s.clients) || s.err != nil {
		return
	}
	s.started++
	s.clients[s.started-1].try()
}

// opened: a client has the tunnel that it is to lose.
func (s *storm) opened() {
	s.open++
	if s.open < len(s.clients) {
		s.openNext()
		return
	}
	s.areAllOpen = true
	s.err = say(event{Event: "open"})
}

// cameBack: a client has a tunnel again, and a message went there and back.
func (s *storm) cameBack() {
	s.back++
	if s.back == len(s.clients) {
		s.err = say(event{Event: "back"})
	}
}

// sinceOrigin is a time of the result.
func (s *storm) sinceOrigin(at time.Time) float64 {
	return float64(at.Sub(s.origin).Microseconds()) / 1e3
}

// refused notes an answer that is not 101; one before all are open ends everything.
func (s *storm) refused(answer stormRefusal) {
	if !s.areAllOpen {
		s.err = fmt.Errorf("answered %d %s before all tunnels were open", answer.Status, answer.Code)
	}
	s.result.Refusals = append(s.result.Refusals, answer)
}

// failed notes a try without an answer; one before all are open ends everything.
func (s *storm) failed(words string) {
	if !s.areAllOpen {
		s.err = fmt.Errorf("before all tunnels were open: %s", words)
	}
	s.result.Failures = append(s.result.Failures, stormFailure{s.sinceOrigin(time.Now()), words})
}

// firstWait is how long a client takes before its first try: its share of firstWithin.
func (s *storm) firstWait() time.Duration { return s.shareOf(s.firstWithin) }

// backoff is the wait after so many tries that got no advice.
func (s *storm) backoff(unadvised int) time.Duration {
	return s.shareOf(min(backoffMost, backoffBase<<min(unadvised, 10)))
}

func (s *storm) shareOf(most time.Duration) time.Duration {
	return time.Duration(s.random.Float64() * float64(most))
}

func (s *storm) tell() error {
	s.result.Event, s.result.OriginMs = "result", unixMs(s.origin)
	since := func(at time.Time) *float64 {
		if at.IsZero() {
			return nil
		}
		ms := s.sinceOrigin(at)
		return &ms
	}
	for _, c := range s.clients {
		s.result.Clients = append(s.result.Clients, stormClientFacts{since(c.lostAt), since(c.backAt), c.isProved, c.tries})
	}
	return say(s.result)
}
