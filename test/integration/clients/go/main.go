// Clients of the library github.com/coder/websocket: `close-client <url> <count> <mode>`; speaks as close-ws-process.ts does.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"
)

const (
	batch       = 50
	sealBytes   = sha256.Size
	floodBytes  = 64 * 1024
	rest        = 15 * time.Millisecond
	chatter     = 200 * time.Millisecond
	openTimeout = 30 * time.Second
	noClose     = 1006
)

type closing struct {
	Code     int  `json:"code"`
	IsClean  bool `json:"isClean"`
	Messages int  `json:"messages"`
	Corrupt  int  `json:"corrupt"`
}

type news struct {
	Event    string    `json:"event"`
	Closings []closing `json:"closings,omitempty"`
}

// The TCP connections under the clients, for resets.
type dialled struct {
	sync.Mutex
	all []*net.TCPConn
}

func (d *dialled) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err == nil {
		d.Lock()
		d.all = append(d.all, conn.(*net.TCPConn))
		d.Unlock()
	}
	return conn, err
}

// With a linger of 0 the kernel says RST (socket(7)).
func (d *dialled) reset() {
	d.Lock()
	defer d.Unlock()
	for _, conn := range d.all {
		_ = conn.SetLinger(0)
		_ = conn.Close()
	}
}

func isSealed(message []byte) bool {
	if len(message) <= sealBytes {
		return false
	}
	seal := sha256.Sum256(message[sealBytes:])
	return bytes.Equal(seal[:], message[:sealBytes])
}

func flooding() []byte {
	message := make([]byte, floodBytes)
	for at := sealBytes; at < floodBytes; at++ {
		message[at] = byte(at)
	}
	seal := sha256.Sum256(message[sealBytes:])
	copy(message, seal[:])
	return message
}

func send(conn *websocket.Conn, mode string, message []byte) {
	ctx := context.Background()
	var err error
	for mode == "chatter" && err == nil {
		time.Sleep(chatter)
		err = conn.Write(ctx, websocket.MessageText, []byte("small talk"))
	}
	for mode == "flood" && err == nil {
		err = conn.Write(ctx, websocket.MessageBinary, message)
	}
}

// Reads to the end. The library answers a Close by itself and does not tell what became of its answer.
func read(conn *websocket.Conn, mode string) closing {
	found := closing{Code: noClose, Messages: 1}
	for {
		kind, message, err := conn.Read(context.Background())
		if err != nil {
			if status := websocket.CloseStatus(err); status != -1 {
				found.Code, found.IsClean = int(status), true
			}
			return found
		}
		found.Messages++
		if kind == websocket.MessageBinary && !isSealed(message) {
			found.Corrupt++
		}
		if mode == "slow" {
			time.Sleep(rest)
		}
	}
}

func open(client *http.Client, url string) *websocket.Conn {
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		log.Fatal(err)
	}
	conn.SetReadLimit(-1)
	if _, _, err := conn.Read(ctx); err != nil {
		log.Fatal(err)
	}
	return conn
}

func say(line news) {
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		log.Fatal(err)
	}
}

func obey(connections *dialled) {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if lines.Text() == "reset" {
			connections.reset()
		}
	}
	os.Exit(0)
}

func main() {
	url, mode := os.Args[1], os.Args[3]
	count, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	connections := &dialled{}
	go obey(connections)
	client := &http.Client{Transport: &http.Transport{DialContext: connections.dial}}
	message := flooding()
	closings := make([]closing, count)
	slots := make(chan struct{}, batch)
	var greeted, closed sync.WaitGroup
	for index := range count {
		greeted.Add(1)
		closed.Go(func() {
			slots <- struct{}{}
			conn := open(client, url)
			<-slots
			greeted.Done()
			go send(conn, mode, message)
			closings[index] = read(conn, mode)
		})
	}
	greeted.Wait()
	say(news{Event: "ready"})
	closed.Wait()
	say(news{Event: "closed", Closings: closings})
}
