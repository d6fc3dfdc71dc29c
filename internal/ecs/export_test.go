package ecs

import "net/http"

// Through has a Protection's requests answered in this process, so that tests can
// make time up.
func Through(p *Protection, t http.RoundTripper) { p.client.Transport = t }
