package faults

import (
	"io"
	"net"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ramify/ramify/integration/program"
	"github.com/ramify/ramify/internal/emulator"
)

// door stands before a server: while it is shut, who knocks is refused, or stands
// before it without an answer, as where a network is cut.
type door struct {
	url, to string
	gone    func() // where set, called when the server has gone

	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]bool
	held     chan struct{} // not nil: nothing goes through until it is closed
}

// newDoor is an open door of a server.
func newDoor(t *testing.T, server string) *door {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	d := &door{to: u.Host, conns: map[net.Conn]bool{}}
	port, err := emulator.FreePort() // nobody else gets it while the door is shut
	if err != nil {
		t.Fatal(err)
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	d.listen(t, address)
	d.url = "http://" + address
	t.Cleanup(func() {
		d.answer()
		d.shut()
	})
	return d
}

func (d *door) listen(t *testing.T, address string) {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	d.listener = l
	d.mu.Unlock()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go d.serve(c)
		}
	}()
}

func (d *door) serve(c net.Conn) {
	s, err := (&net.Dialer{}).Dial("tcp", d.to)
	if err != nil {
		_ = c.Close()
		return
	}
	if !d.enter(c, s) {
		return
	}
	defer d.leave(c, s)
	done := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{c, s}, {s, c}} {
		go func() {
			defer func() { done <- struct{}{} }()
			_, _ = io.Copy(way[0], passing{way[1], d})
		}()
	}
	<-done
}

// enter remembers the ends of a connection, unless the door has just been shut.
func (d *door) enter(ends ...net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range ends {
		if d.listener == nil {
			_ = c.Close()
		}
		d.conns[c] = true
	}
	return d.listener != nil
}

func (d *door) leave(ends ...net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range ends {
		_ = c.Close()
		delete(d.conns, c)
	}
}

// passing reads what may go through.
type passing struct {
	net.Conn
	door *door
}

func (p passing) Read(b []byte) (int, error) {
	n, err := p.Conn.Read(b)
	p.door.mu.Lock()
	held := p.door.held
	p.door.mu.Unlock()
	if held != nil {
		<-held
	}
	return n, err
}

// shut refuses all from now on, and breaks off what is under way.
func (d *door) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.listener != nil {
		_ = d.listener.Close()
		d.listener = nil
	}
	for c := range d.conns {
		_ = c.Close()
	}
	clear(d.conns)
}

// hold lets nothing through, and says nothing to anybody.
func (d *door) hold() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held = make(chan struct{})
}

// answer lets through what was held.
func (d *door) answer() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.held != nil {
		close(d.held)
		d.held = nil
	}
}

// away keeps the server away for a while, unless the process ends before, and reports
// whether the process outlasted it.
func (d *door) away(t *testing.T, silent bool, span time.Duration, p *program.Process) bool {
	t.Helper()
	if silent {
		d.hold()
		defer d.answer()
	} else {
		address := d.url[len("http://"):]
		d.shut()
		defer d.listen(t, address)
	}
	if d.gone != nil {
		d.gone()
	}
	select {
	case <-time.After(span):
		return true
	case <-p.Done:
		return false
	}
}
