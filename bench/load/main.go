// Command load is the load generator and the backend of the benchmarks. It is one epoll loop on one thread, so that a
// core of its own is enough to keep a proxy on another core busy, and so that what it measures is the proxy.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

const usage = `load serve [--port 0]
load handshakes --target 127.0.0.1:PORT [--concurrency 32] [--seconds 3] [--warmup 1]
load echoes     --target 127.0.0.1:PORT [--tunnels 100] [--bytes 64] [--rate 0] [--seconds 3] [--warmup 1]
load fanout     --target 127.0.0.1:PORT [--tunnels 1000] [--every 100] [--bytes 64] [--seconds 5] [--warmup 1]
load idle       --target 127.0.0.1:PORT [--tunnels 9000] [--settle 5]
load steady     --target 127.0.0.1:PORT --rate N [--tunnels 100] [--bytes 64] [--path /]; until stdin ends
load storm      --target 127.0.0.1:PORT [--tunnels 9000] [--first-within 1] [--seed 1] [--path /]; until stdin ends
Clients take --host NAME and --pids 1,2,3 (processes whose CPU time and memory are read at the edges of the window).
`

// options of every client command; each command uses those that concern it.
type options struct {
	target      string
	host        string
	pids        []int
	concurrency int
	tunnels     int
	bytes       int
	rate        int
	everyMs     int
	window      time.Duration
	warmup      time.Duration
	settle      time.Duration
	path        string
	firstWithin time.Duration
	seed        int
}

func main() {
	runtime.GOMAXPROCS(1)
	runtime.LockOSThread()
	// A window allocates next to nothing; a collection in the middle of it would be seen as the proxy's latency.
	debug.SetGCPercent(800)
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	commands := map[string]func(*loop, options) (result, error){
		"handshakes": measureHandshakes,
		"echoes":     measureEchoes,
		"fanout":     measureFanout,
		"idle":       measureIdle,
	}
	if len(args) == 0 {
		return fmt.Errorf("no command\n%s", usage)
	}
	l, err := newLoop()
	if err != nil {
		return err
	}
	if args[0] == "serve" {
		flags := flag.NewFlagSet("load serve", flag.ContinueOnError)
		port := flags.Int("port", 0, "")
		if err := flags.Parse(args[1:]); err != nil {
			return err
		}
		return serve(l, *port, os.Stdin, os.Stdout)
	}
	// They say more than a result, and what they do is ended from outside.
	dialogues := map[string]func(*loop, options) error{"steady": runSteady, "storm": runStorm}
	measure, converse := commands[args[0]], dialogues[args[0]]
	if measure == nil && converse == nil {
		return fmt.Errorf("no command %q\n%s", args[0], usage)
	}
	opts, err := parseOptions(args)
	if err != nil {
		return err
	}
	if converse != nil {
		return converse(l, opts)
	}
	measured, err := measure(l, opts)
	if err != nil {
		return err
	}
	return measured.print(os.Stdout)
}

func parseOptions(args []string) (options, error) {
	var o options
	var seconds, warmup, settle, firstWithin float64
	var pids string
	flags := flag.NewFlagSet("load "+args[0], flag.ContinueOnError)
	flags.StringVar(&o.target, "target", "", "")
	flags.StringVar(&o.host, "host", "bench.example", "")
	flags.StringVar(&pids, "pids", "", "")
	flags.IntVar(&o.concurrency, "concurrency", 32, "")
	flags.IntVar(&o.tunnels, "tunnels", map[string]int{"fanout": 1000, "idle": 9000, "storm": 9000}[args[0]], "")
	flags.IntVar(&o.bytes, "bytes", 64, "")
	flags.IntVar(&o.rate, "rate", 0, "")
	flags.IntVar(&o.everyMs, "every", 100, "")
	flags.Float64Var(&seconds, "seconds", 3, "")
	flags.Float64Var(&warmup, "warmup", 1, "")
	flags.Float64Var(&settle, "settle", 5, "")
	flags.Float64Var(&firstWithin, "first-within", 1, "")
	flags.StringVar(&o.path, "path", "/", "")
	flags.IntVar(&o.seed, "seed", 1, "")
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	if err := flags.Parse(args[1:]); err != nil {
		return o, err
	}
	o.window, o.warmup, o.settle = inSeconds(seconds), inSeconds(warmup), inSeconds(settle)
	o.firstWithin = inSeconds(firstWithin)
	if o.tunnels == 0 {
		o.tunnels = 100
	}
	for _, text := range strings.FieldsFunc(pids, func(r rune) bool { return r == ',' }) {
		pid, err := strconv.Atoi(text)
		if err != nil {
			return o, fmt.Errorf("--pids: %q is not a number", text)
		}
		o.pids = append(o.pids, pid)
	}
	if o.target == "" {
		return o, fmt.Errorf("--target is missing\n%s", usage)
	}
	if o.bytes < stampBytes {
		return o, fmt.Errorf("--bytes must be at least %d", stampBytes)
	}
	return o, nil
}

func inSeconds(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second))
}
