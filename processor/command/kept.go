package command

import "fmt"

// kept is the beginning and the end of an output, however long it is.
type kept struct {
	most  int // bytes kept
	head  []byte
	tail  []byte // a ring, once it is full
	at    int    // where the ring begins
	total int64
}

// Write never fails.
func (k *kept) Write(p []byte) (int, error) {
	n := len(p)
	k.total += int64(n)
	if room := k.most/2 - len(k.head); room > 0 {
		cut := min(room, len(p))
		k.head = append(k.head, p[:cut]...)
		p = p[cut:]
	}
	size := k.most - k.most/2
	if over := len(p) - size; over > 0 {
		p = p[over:]
	}
	if room := size - len(k.tail); room > 0 {
		cut := min(room, len(p))
		k.tail = append(k.tail, p[:cut]...)
		p = p[cut:]
	}
	for len(p) > 0 {
		cut := copy(k.tail[k.at:], p)
		k.at = (k.at + cut) % size
		p = p[cut:]
	}
	return n, nil
}

// String is what was kept, with a mark where something is left out.
func (k *kept) String() string {
	tail := string(k.tail[k.at:]) + string(k.tail[:k.at])
	out := k.total - int64(len(k.head)) - int64(len(k.tail))
	if out == 0 {
		return string(k.head) + tail
	}
	return fmt.Sprintf("%s\n[… %d bytes left out …]\n%s", k.head, out, tail)
}
