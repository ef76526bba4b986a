// The cursor as the earlier server in Go kept it: at each move a file of 16 bytes is written, F(n-1) and F(n), under a lock.
// What fibserver is measured against: main FILE, with `sync` behind it also with an fsync for each move, which the earlier
// server did not do.
package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
)

const fileBytes = 16

// The last F(n) that fits into 64 bits is F(92).
const indexMax = 92

type cursor struct {
	lock            sync.Mutex
	file            *os.File
	isSynced        bool
	previous, value int64
	index           int
}

// A move is answered when its 16 bytes are written.
func (c *cursor) move(step int) (int64, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	switch {
	case step > 0 && c.index < indexMax:
		c.set(c.index + 1)
	case step < 0 && c.index > 0:
		c.set(c.index - 1)
	case step != 0:
		return 0, fmt.Errorf("there is nothing beyond index %d", c.index)
	default:
		return c.value, nil
	}
	return c.value, c.write()
}

func (c *cursor) set(index int) {
	c.index, c.previous, c.value = index, -1, 0
	for i := 0; i < index; i++ {
		if i == 0 {
			c.previous, c.value = 0, 1
		} else {
			c.previous, c.value = c.value, c.previous+c.value
		}
	}
}

func (c *cursor) write() error {
	var bytes [fileBytes]byte
	binary.BigEndian.PutUint64(bytes[:8], uint64(c.previous))
	binary.BigEndian.PutUint64(bytes[8:], uint64(c.value))
	if _, err := c.file.WriteAt(bytes[:], 0); err != nil || !c.isSynced {
		return err
	}
	return c.file.Sync()
}

func (c *cursor) answer(step int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		value, err := c.move(step)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		fmt.Fprintf(w, `{"value":"%d","status":"200"}`, value)
	}
}

func (c *cursor) put(w http.ResponseWriter, r *http.Request) {
	var body struct{ Index string }
	err := json.NewDecoder(r.Body).Decode(&body)
	index, notANumber := strconv.Atoi(body.Index)
	if err != nil || notANumber != nil || index < 0 || index > indexMax {
		http.Error(w, "not an index", http.StatusBadRequest)
		return
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	c.set(index)
	if err := c.write(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func main() {
	file, err := os.Create(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	c := &cursor{file: file, isSynced: len(os.Args) > 2 && os.Args[2] == "sync"}
	c.set(0)
	http.HandleFunc("/api0/next", c.answer(1))
	http.HandleFunc("/api0/previous", c.answer(-1))
	http.HandleFunc("/api0/current", c.answer(0))
	http.HandleFunc("/v1/cursor", c.put)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("http://%s/\n", listener.Addr())
	log.Fatal(http.Serve(listener, nil))
}
