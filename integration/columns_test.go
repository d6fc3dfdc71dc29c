package integration

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/ramify/ramify/s3serve"
	"github.com/ramify/ramify/s3serve/sample"
)

// chosen are columns in an order of their own; field is what a row of CSV has of
// an object.
var chosen = []struct {
	name  string // as S3 Inventory writes it
	field func(s3serve.Object) string
}{
	{"ETag", func(o s3serve.Object) string { return o.ETag }},
	{"Key", func(o s3serve.Object) string { return o.Key }},
	{"IsMultipartUploaded", func(o s3serve.Object) string { return fmt.Sprint(strings.Contains(o.ETag, "-")) }},
	{"Size", func(o s3serve.Object) string { return fmt.Sprint(o.Size) }},
	{"LastModifiedDate", func(o s3serve.Object) string {
		return o.LastModified.UTC().Format("2006-01-02T15:04:05.000Z")
	}},
}

func chosenNames() string {
	var names []string
	for _, c := range chosen {
		names = append(names, strings.ToUpper(c.name))
	}
	return strings.Join(names, " ,")
}

// chosenRows are the rows of a listing, sorted.
func chosenRows(l *s3serve.Listing) (rows []string) {
	for o := range l.All() {
		var row []string
		for _, c := range chosen {
			row = append(row, c.field(o))
		}
		rows = append(rows, fmt.Sprintf("%q", row))
	}
	slices.Sort(rows)
	return rows
}

// multipartListing is a listing some of whose objects were uploaded in parts.
func multipartListing(t *testing.T, keys []string) *s3serve.Listing {
	t.Helper()
	objects := objectsOf(keys)
	for i := range objects {
		if i%3 == 0 {
			objects[i].ETag = fmt.Sprintf("%032x-%d", i, i+1)
		}
	}
	l, err := s3serve.FromObjects(objects)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// readChosen reads rows of the chosen columns as a stranger would.
func readChosen(t *testing.T, format string, data io.Reader) (rows []string) {
	t.Helper()
	if format == "csv" {
		records, err := csv.NewReader(data).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			if r[1], err = url.QueryUnescape(r[1]); err != nil {
				t.Fatal(err)
			}
			rows = append(rows, fmt.Sprintf("%q", r))
		}
	} else {
		dec := json.NewDecoder(data)
		for dec.More() {
			var values map[string]any
			if err := dec.Decode(&values); err != nil {
				t.Fatal(err)
			}
			var row []string
			for _, c := range chosen {
				row = append(row, fmt.Sprint(values[strings.ToLower(c.name)]))
			}
			if len(values) != len(chosen) {
				t.Fatalf("row %v", values)
			}
			rows = append(rows, fmt.Sprintf("%q", row))
		}
	}
	slices.Sort(rows)
	return rows
}

// Chosen columns stream as they are written to files.
func TestStreamOfColumns(t *testing.T) {
	t.Parallel()
	listing := multipartListing(t, awkwardKeys())
	s := serve(t, listing, s3serve.Options{})
	for _, format := range []string{"csv", "ndjson"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			u := newUser(t, s.url)
			args := []string{"run", "s3://bucket/", "--out", "-", "--columns", chosenNames()}
			if format != "csv" { // which it is where columns are asked for
				args = append(args, "--format", format)
			}
			r := u.run(t, args...)
			r.requireCode(t, 0)
			if got, want := readChosen(t, format, strings.NewReader(r.stdout)), chosenRows(listing); !slices.Equal(got, want) {
				t.Errorf("%d rows differ from the %d wanted; the first is %s", len(got), len(want), got[0])
			}
		})
	}
}

// A run that is resumed writes the columns that it began with.
func TestColumnsResumed(t *testing.T) {
	t.Parallel()
	listing := sampleListing(t, sample.Count)
	for _, format := range []string{"csv", "ndjson", "parquet"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			s := serve(t, listing, s3serve.Options{})
			u := newUser(t, s.url)
			s.hold(12)
			p := u.start(t, "run", "s3://bucket/", "--run", "r", "--out", "out", "--format", format, "--concurrency", "2",
				"--columns", "StorageClass,Key,Bucket,Size,LastModifiedDate,ETag")
			s.awaitHeld(t)
			p.signal(t, kill)
			p.wait(t)
			s.open()
			u.run(t, "resume", "r").requireCode(t, 0)
			m := readManifest(t, u.path("out"))
			tr, count := truthOf(listing, ""), 0
			for _, f := range m.Files {
				data := readFile(t, u.path("out/"+f.Key))
				switch format {
				case "csv":
					if m.FileSchema != "StorageClass, Key, Bucket, Size, LastModifiedDate, ETag" {
						t.Errorf("schema %q", m.FileSchema)
					}
					count += bytes.Count(readGzip(t, data), []byte("\n"))
				case "ndjson":
					rows := readNDJSON(t, data)
					count += len(rows)
					tr.requireRows(t, rows, false)
				case "parquet":
					rows := readParquet(t, data)
					count += len(rows)
					tr.requireRows(t, rows, false)
				}
			}
			if count != sample.Count {
				t.Errorf("%d rows", count)
			}
		})
	}
}
