package integration

import (
	"encoding/json"
	"strings"
	"testing"
)

// requireInventory fails the test unless what a run has put into the bucket of
// results is an inventory of exactly the truth, each key once.
func (f *fleet) requireInventory(t *testing.T, run string, want truth) {
	t.Helper()
	files := f.made(t, run)
	data, ok := files["manifest.json"]
	if !ok {
		t.Fatalf("there is no manifest.json under s3://%s/%s/", results, run)
	}
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatalf("manifest: %v", err)
	}
	if sum := string(files["manifest.checksum"]); sum != md5Of(data) {
		t.Errorf("manifest.checksum is %q, the manifest's MD5 %s", sum, md5Of(data))
	}
	if m.SourceBucket != bucket || m.FileFormat != "CSV" {
		t.Errorf("manifest is of %q, as %s", m.SourceBucket, m.FileFormat)
	}
	var rows []row
	for _, file := range m.Files {
		data, ok := files[strings.TrimPrefix(file.Key, run+"/")]
		if !ok || int64(len(data)) != file.Size || md5Of(data) != file.MD5 {
			t.Errorf("file %s is there: %v, with %d bytes of MD5 %s; the manifest says %d of %s",
				file.Key, ok, len(data), md5Of(data), file.Size, file.MD5)
		}
		for _, r := range readCSV(t, data) {
			if r.modified.IsZero() {
				t.Fatalf("key %q has no date", r.key)
			}
			rows = append(rows, row{bucket: r.bucket, key: r.key, size: r.size, etag: r.etag})
		}
	}
	want.requireRows(t, rows, false)
}
