package s3serve

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// unsupported are the parts of an object that a GET may ask for and that are
// not kept.
var unsupported = []string{"acl", "attributes", "legal-hold", "retention", "tagging", "torrent", "uploadId"}

// serveObject answers GetObject and HeadObject.
func (s *snapshot) serveObject(w http.ResponseWriter, r *request) {
	for _, name := range unsupported {
		if r.query.Has(name) {
			writeError(w, errNotImplemented)
			return
		}
	}
	i, found := s.find(r.key)
	if !found {
		writeError(w, noSuchKey(r.key))
		return
	}
	a := s.attrs(i)
	content := io.ReadSeeker(io.NewSectionReader(zeros{}, 0, a.size))
	if a.file && r.Method == http.MethodGet {
		// OpenInRoot refuses a path that has become a link out of the folder.
		f, err := os.OpenInRoot(s.dir, filepath.FromSlash(r.key))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			writeError(w, noSuchKey(r.key))
			return
		case err != nil:
			writeError(w, errAccessDenied)
			return
		}
		defer func() { _ = f.Close() }() // it was only read
		content = f
	}
	h := w.Header()
	h.Set("Content-Type", "binary/octet-stream")
	h.Set("Etag", `"`+string(a.appendETag(nil))+`"`)
	if a.class != nil {
		h.Set("X-Amz-Storage-Class", string(a.class))
	}
	if span := r.Header.Get("Range"); span != "" {
		if a.size == 0 && strings.HasPrefix(span, "bytes=") {
			writeError(w, errRange) // ServeContent would pass over it
			return
		}
		w = &rangeWriter{ResponseWriter: w}
	}
	http.ServeContent(w, r.Request, "", time.Unix(a.seconds, 0), content)
}

// rangeWriter tells of an unsatisfiable range as S3 does, not in net/http's
// plain text.
type rangeWriter struct {
	http.ResponseWriter
	refused bool
}

// WriteHeader replaces the answer if it refuses the range.
func (w *rangeWriter) WriteHeader(status int) {
	if status != http.StatusRequestedRangeNotSatisfiable {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.refused = true
	writeError(w.ResponseWriter, errRange)
}

// Write drops the text that follows a refusal.
func (w *rangeWriter) Write(b []byte) (int, error) {
	if w.refused {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// zeros is the content of objects that have none: as many zero bytes as asked.
type zeros struct{}

// ReadAt fills b.
func (zeros) ReadAt(b []byte, _ int64) (int, error) {
	clear(b)
	return len(b), nil
}
