package queue

// Size is what an entry counts against Limits.Body: its body and the names and
// values of its attributes.
func (e Entry) Size() int {
	n := len(e.Body)
	for k, v := range e.Attrs {
		n += len(k) + len(v)
	}
	return n
}
