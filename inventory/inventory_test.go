package inventory_test

import (
	"bytes"
	"crypto/md5"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ramify/ramify/inventory"
)

var all = []inventory.Format{inventory.Keys, inventory.CSV, inventory.NDJSON, inventory.Parquet}

// awkward are keys that S3 allows and careless writers break.
func awkward() []inventory.Object {
	keys := []string{
		"plain/key.txt", "", " leading", "trailing ", "//double//slash/", "/leading", "dir/",
		"a,b", `a"b`, `"quoted"`, `back\slash`, `\n is not a newline`, "new\nline", "return\rhere", "crlf\r\n", "tab\there",
		"plus+plus", "per%cent", "%2F", "a b+c%20d", "~tilde", "a=b&c=d;e", "<&>'", "#hash?query",
		"\x00nul", "\x01\x02\x1f\x7f", "emoji 😀/🏳️‍🌈", "日本語/キー", "\u2028\u2029\u0085", "\ufeffbom", "\ufffd", "\U0010ffff",
		strings.Repeat("x", 1024), strings.Repeat("€", 341), strings.Repeat("\n", 1024),
	}
	objects := make([]inventory.Object, len(keys))
	for i, key := range keys {
		objects[i] = inventory.Object{
			Bucket: "a-bucket", Key: key, Size: int64(i) << 33,
			LastModified: time.Date(2024, 2, 29, 23, 59, 59, i*int(time.Millisecond), time.UTC),
			ETag:         fmt.Sprintf("%032x-%d", i, i), StorageClass: "STANDARD",
		}
	}
	return append(objects,
		inventory.Object{Bucket: "b", Key: "nothing is known"},
		inventory.Object{Bucket: "b", Key: "old", LastModified: time.UnixMilli(-1).UTC(), Size: 1<<63 - 1})
}

func TestEveryFormatGivesBackWhatItWasGiven(t *testing.T) {
	for _, f := range all {
		t.Run(f.String(), func(t *testing.T) {
			want := awkward()
			assert.Equal(t, kept(f, want), roundTrip(t, f.Layout(), want, 7))
		})
	}
}

func TestAnyKeyComesBack(t *testing.T) {
	for _, f := range all {
		t.Run(f.String(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				want := rapid.SliceOfN(object(), 0, 20).Draw(t, "objects")
				got := roundTrip(t, f.Layout(), want, 3)
				assert.Equal(t, kept(f, want), got)
			})
		})
	}
}

func TestBytesThatAreNotUTF8(t *testing.T) {
	bad := []inventory.Object{{Bucket: "b", Key: "a\xffb\xc3"}}
	for _, f := range []inventory.Format{inventory.Keys, inventory.CSV, inventory.Parquet} {
		assert.Equal(t, bad[0].Key, roundTrip(t, f.Layout(), bad, 1)[0].Key, f)
	}
	assert.Equal(t, "a\ufffdb\ufffd", roundTrip(t, inventory.NDJSON.Layout(), bad, 1)[0].Key)
}

func TestLayouts(t *testing.T) {
	o := inventory.Object{
		Bucket: "amzn-s3-demo-bucket", Key: "reports/a b+c\"é\n~.csv", Size: 1234,
		LastModified: time.Date(2018, 1, 17, 20, 18, 57, 7_999_999, time.FixedZone("", 3600)),
		ETag:         "d41d8cd98f00b204e9800998ecf8427e", StorageClass: "GLACIER",
	}
	for f, want := range map[inventory.Format]string{
		inventory.Keys:   `reports/a b+c"é\n~.csv`,
		inventory.CSV:    `"amzn-s3-demo-bucket","reports/a+b%2Bc%22%C3%A9%0A%7E.csv","1234","2018-01-17T19:18:57.007Z","d41d8cd98f00b204e9800998ecf8427e","GLACIER"`,
		inventory.NDJSON: `{"bucket":"amzn-s3-demo-bucket","key":"reports/a b+c\"é\n~.csv","size":1234,"lastmodifieddate":"2018-01-17T19:18:57.007Z","etag":"d41d8cd98f00b204e9800998ecf8427e","storageclass":"GLACIER"}`,
	} {
		assert.Equal(t, want+"\n", string(f.Layout().Append(nil, &o)))
	}
}

// One key a line, whatever the key: that is what the escapes are for.
func TestOneRowIsOneLine(t *testing.T) {
	for _, f := range all {
		for _, o := range awkward() {
			row := f.Layout().Append([]byte("before"), &o)
			assert.Equal(t, len(row)-1, bytes.IndexByte(row, '\n'), "%s %q", f, o.Key)
			assert.NotContains(t, string(row), "\r")
			assert.True(t, bytes.HasPrefix(row, []byte("before")))
			assert.True(t, utf8.Valid(row))
			if f == inventory.NDJSON {
				assert.True(t, json.Valid(row[len("before"):]), "%q", row)
			}
		}
	}
}

func TestMembersStandAlone(t *testing.T) {
	objects := awkward()
	for _, f := range all {
		var members [][]byte
		for i := range objects {
			members = append(members, f.Pack(nil, f.Layout().Append(nil, &objects[i])))
		}
		var file []byte // every second one
		var want []inventory.Object
		for i := 0; i < len(members); i += 2 {
			file = append(file, members[i]...)
			want = append(want, objects[i])
		}
		assert.Equal(t, kept(f, want), unpackAll(t, f.Layout(), file), f)
		assert.Empty(t, f.Pack(nil, nil), f)
		assert.Empty(t, unpackAll(t, f.Layout(), nil), f)
	}
}

func TestParquetRowGroupsAndDictionaries(t *testing.T) {
	const rows = 300_000
	var file bytes.Buffer
	w := inventory.NewParquetWriter(&file, inventory.CurrentColumns)
	for i := range rows {
		require.NoError(t, w.Write(&inventory.Object{
			Bucket: fmt.Sprint("bucket-", i%7), Key: fmt.Sprint("key/", i), Size: int64(i % 3), StorageClass: []string{"", "STANDARD", "GLACIER"}[i%3],
		}))
	}
	require.NoError(t, w.Close())
	assert.EqualValues(t, file.Len(), w.Size())
	i := 0
	for o, err := range inventory.ReadParquet(bytes.NewReader(file.Bytes()), int64(file.Len())) {
		require.NoError(t, err)
		want := inventory.Object{
			Bucket: fmt.Sprint("bucket-", i%7), Key: fmt.Sprint("key/", i), Size: int64(i % 3), StorageClass: []string{"", "STANDARD", "GLACIER"}[i%3],
		}
		if o != want {
			t.Fatalf("row %d is %+v, want %+v", i, o, want)
		}
		i++
	}
	assert.Equal(t, rows, i)
}

func TestReadSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		f    inventory.Format
		rows string
		want string
	}{
		{inventory.Keys, "good\nbad\\x\n", `read keys row 2: line "bad\\x" has the escape \x`},
		{inventory.Keys, "bad\\", "ends within an escape"},
		{inventory.CSV, `"b","k%2","1","","",""`, `read csv row 1: parse Key "k%2": key "k%2" ends within an escape`},
		{inventory.CSV, `"b","k%zz","1","","",""`, `has the escape "%zz"`},
		{inventory.CSV, `"b","k","many","","",""`, `parse Size "many": strconv`},
		{inventory.CSV, `"b","k","1","yesterday","",""`, `parse LastModifiedDate "yesterday"`},
		{inventory.CSV, `"b","k"`, "wrong number of fields"},
		{inventory.NDJSON, `{"size":1}`, `read ndjson row 1: no "key"`},
		{inventory.NDJSON, `{"key":"k"`, "unexpected EOF"},
	} {
		var err error
		for _, err = range c.f.Layout().Read(strings.NewReader(c.rows)) {
		}
		require.ErrorContains(t, err, c.want)
	}
	for _, err := range inventory.ReadParquet(strings.NewReader("PAR"), 3) {
		assert.Error(t, err)
	}
}

func TestParseFormat(t *testing.T) {
	for _, f := range all {
		got, err := inventory.ParseFormat(f.String())
		require.NoError(t, err)
		assert.Equal(t, f, got)
	}
	_, err := inventory.ParseFormat("orc")
	assert.EqualError(t, err, `parse format "orc": want one of keys, csv, ndjson, parquet`)
}

func TestManifestLayout(t *testing.T) {
	m := inventory.NewManifest(inventory.CSV.Layout(), "example-source-bucket", "arn:aws:s3:::example-inventory-destination-bucket", time.UnixMilli(1514944800000))
	m.Files = append(m.Files, inventory.File{Key: "data/part-00001.csv.gz", Size: 2147483647, MD5: "f11166069f1990abeb9c97ace9cdfabc"})
	manifest, checksum, err := m.Encode()
	require.NoError(t, err)
	golden, err := os.ReadFile("testdata/manifest.json") // as in the User Guide
	require.NoError(t, err)
	assert.Equal(t, string(golden), string(manifest))
	assert.Equal(t, fmt.Sprintf("%x", md5.Sum(manifest)), string(checksum))

	manifest, _, err = inventory.NewManifest(inventory.Parquet.Layout(), "b", "", time.Time{}).Encode()
	require.NoError(t, err)
	assert.Contains(t, string(manifest), `"files": []`)
	assert.Contains(t, string(manifest), "optional int64 last_modified_date (TIMESTAMP(MILLIS,true));")
}

// object draws what S3 can hold: any UTF-8 as key, plain words elsewhere.
func object() *rapid.Generator[inventory.Object] {
	word := rapid.StringMatching(`[!-~]{0,20}`)
	return rapid.Custom(func(t *rapid.T) inventory.Object {
		o := inventory.Object{
			Bucket: word.Draw(t, "bucket"), Key: rapid.String().Draw(t, "key"), Size: rapid.Int64().Draw(t, "size"),
			ETag: word.Draw(t, "etag"), StorageClass: word.Draw(t, "class"),
		}
		if rapid.Bool().Draw(t, "dated") {
			ms := rapid.Int64Range(-62135596799999, 253402300799999).Draw(t, "ms") // years 1 to 9999
			o.LastModified = time.UnixMilli(ms).UTC()
		}
		return o
	})
}

// kept is what the format keeps of the objects.
func kept(f inventory.Format, objects []inventory.Object) []inventory.Object {
	got := append([]inventory.Object{}, objects...)
	if f == inventory.Keys {
		for i := range got {
			got[i] = inventory.Object{Key: got[i].Key}
		}
	}
	return got
}

// roundTrip writes the objects as a finished file, so many a block, and reads it.
func roundTrip(t require.TestingT, l inventory.Layout, objects []inventory.Object, perBlock int) []inventory.Object {
	var file, block []byte
	for i := range objects {
		block = l.Append(block, &objects[i])
		if (i+1)%perBlock == 0 {
			file = l.Pack(file, block)
			block = block[:0]
		}
	}
	file = l.Pack(file, block)
	got := unpackAll(t, l, file)
	if l.Format() != inventory.Parquet {
		return got
	}
	return collect(t, readParquet(t, l.Columns(), got))
}

// readParquet writes objects as Parquet and reads the file.
func readParquet(t require.TestingT, c inventory.Columns, objects []inventory.Object) iter.Seq2[inventory.Object, error] {
	var file bytes.Buffer
	w := inventory.NewParquetWriter(&file, c)
	for i := range objects {
		require.NoError(t, w.Write(&objects[i]))
	}
	require.NoError(t, w.Close())
	return inventory.ReadParquet(bytes.NewReader(file.Bytes()), int64(file.Len()))
}

func unpackAll(t require.TestingT, l inventory.Layout, file []byte) []inventory.Object {
	r, err := l.Unpack(bytes.NewReader(file))
	require.NoError(t, err)
	defer r.Close()
	rows, err := io.ReadAll(r)
	require.NoError(t, err)
	return collect(t, l.Read(bytes.NewReader(rows)))
}

func collect(t require.TestingT, objects iter.Seq2[inventory.Object, error]) []inventory.Object {
	got := []inventory.Object{}
	for o, err := range objects {
		require.NoError(t, err)
		got = append(got, o)
	}
	return got
}
