package inventory_test

import (
	"bytes"
	"iter"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ramify/ramify/inventory"
)

// realSchema is the fileSchema of an inventory with all that S3 offers today.
const realSchema = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass, IsMultipartUploaded, " +
	"ReplicationStatus, EncryptionStatus, ObjectLockRetainUntilDate, ObjectLockMode, ObjectLockLegalHoldStatus, " +
	"IntelligentTieringAccessTier, BucketKeyStatus, ChecksumAlgorithm, ObjectAccessControlList, ObjectOwner"

const realRows = `"amzn-s3-demo-bucket","a+b%2Bc%0A%22.txt","6gWYtVHbNfBz","true","false","20","2022-11-18T21:10:04.000Z","d41d8cd98f00b204e9800998ecf8427e","STANDARD","false","","SSE-S3","","","","","DISABLED","CRC64NVME","eyJ2ZXJzaW9uIjoiMjAyMi0xMS0xMCJ9","aws:123456789012"
"amzn-s3-demo-bucket","dir/","","false","false","0","2022-11-18T21:10:04.000Z","e-2","GLACIER","true","","NOT-SSE","","","","","","","",""
"amzn-s3-demo-bucket","gone","null","true","true","","2022-11-18T21:10:05.000Z","","","","","","","","","","","","",""
`

var realObjects = []inventory.Object{
	{
		Bucket: "amzn-s3-demo-bucket", Key: "a b+c\n\".txt", VersionID: "6gWYtVHbNfBz", IsLatest: true, Size: 20,
		LastModified: time.Date(2022, 11, 18, 21, 10, 4, 0, time.UTC), ETag: "d41d8cd98f00b204e9800998ecf8427e", StorageClass: "STANDARD",
	},
	{Bucket: "amzn-s3-demo-bucket", Key: "dir/", LastModified: time.Date(2022, 11, 18, 21, 10, 4, 0, time.UTC), ETag: "e-2", StorageClass: "GLACIER"},
	{
		Bucket: "amzn-s3-demo-bucket", Key: "gone", VersionID: "null", IsLatest: true, IsDeleteMarker: true,
		LastModified: time.Date(2022, 11, 18, 21, 10, 5, 0, time.UTC),
	},
}

func TestReadCSVOfS3(t *testing.T) {
	assert.Equal(t, realObjects, collect(t, inventory.ReadCSV(strings.NewReader(realRows), realSchema)))
	assert.Equal(t, realObjects, collect(t, inventory.ReadCSV(strings.NewReader(strings.ReplaceAll(realRows, "\n", "\r\n")), realSchema)))
	// Any order, any columns, any case.
	got := collect(t, inventory.ReadCSV(strings.NewReader("\"TRUE\",\"x\",\"k\"\n\"False\",\"y\",\"l\"\n"), "IsLatest,Whatever,key"))
	assert.Equal(t, []inventory.Object{{Key: "k", IsLatest: true}, {Key: "l"}}, got)
	for _, c := range []struct{ rows, schema, want string }{
		{`"b"`, "Bucket", `read csv: the schema "Bucket" has no Key`},
		{"\"k\",\"1\"\n\"k\"\n", "Key, Size", "read csv row 2: record on line 2: wrong number of fields"},
		{`"k","maybe"`, "Key, IsLatest", `read csv row 1: parse IsLatest "maybe": want true or false`},
		{`"k","1`, "Key, Size", `extraneous or missing " in quoted-field`},
	} {
		var err error
		for _, err = range inventory.ReadCSV(strings.NewReader(c.rows), c.schema) {
		}
		assert.ErrorContains(t, err, c.want)
	}
}

// parquetOf is a Parquet file as others write it, from the tags of its rows.
func parquetOf[T any](t *testing.T, rows ...T) *bytes.Reader {
	var b bytes.Buffer
	require.NoError(t, parquet.Write(&b, rows))
	return bytes.NewReader(b.Bytes())
}

func TestReadParquetOfOthers(t *testing.T) {
	at := time.Date(2022, 11, 18, 21, 10, 4, 123e6, time.UTC)
	type acl struct {
		Owner string `parquet:"owner"`
	}
	type s3 struct { // columns as S3 writes them, in an order of their own, and some not known here
		Encryption       *string   `parquet:"encryption_status,optional"`
		Size             *int64    `parquet:"size,optional"`
		StorageClass     *string   `parquet:"storage_class,optional"`
		Grants           []acl     `parquet:"object_access_control_list,list"`
		IsLatest         *bool     `parquet:"is_latest,optional"`
		Key              string    `parquet:"key"`
		LastModifiedDate time.Time `parquet:"last_modified_date,optional,timestamp(millisecond)"`
		IsDeleteMarker   *bool     `parquet:"is_delete_marker,optional"`
		ETag             *string   `parquet:"e_tag,optional"`
		VersionID        *string   `parquet:"version_id,optional"`
		Bucket           string    `parquet:"bucket"`
	}
	yes, size, text := true, int64(7), "text"
	file := parquetOf(t,
		s3{Key: "a", Bucket: "b", Size: &size, StorageClass: &text, IsLatest: &yes, ETag: &text, VersionID: &text, LastModifiedDate: at, Grants: []acl{{"x"}, {"y"}}},
		s3{Key: "gone", Bucket: "b", IsDeleteMarker: &yes, LastModifiedDate: at})
	assert.Equal(t, []inventory.Object{
		{Bucket: "b", Key: "a", VersionID: "text", IsLatest: true, Size: 7, LastModified: at, ETag: "text", StorageClass: "text"},
		{Bucket: "b", Key: "gone", IsDeleteMarker: true, LastModified: at},
	}, collect(t, inventory.ReadParquet(file, file.Size())))

	// Required where S3 has optional, other names of CSV, other units.
	type nanos struct {
		LastModifiedDate int64  `parquet:"LastModifiedDate,timestamp(nanosecond)"`
		Key              string `parquet:"Key,optional"`
		Size             int32  `parquet:"Size"`
	}
	old := time.Date(1969, 12, 31, 23, 59, 59, 999e6, time.UTC)
	file = parquetOf(t, nanos{at.UnixNano(), "k", -5}, nanos{-1, "", 1 << 30})
	assert.Equal(t, []inventory.Object{{Key: "k", Size: -5, LastModified: at}, {Size: 1 << 30, LastModified: old}},
		collect(t, inventory.ReadParquet(file, file.Size())))
	type micros struct {
		Key              string `parquet:"key"`
		LastModifiedDate int64  `parquet:"last_modified_date,timestamp(microsecond)"`
	}
	file = parquetOf(t, micros{"k", at.UnixMicro()})
	assert.Equal(t, []inventory.Object{{Key: "k", LastModified: at}}, collect(t, inventory.ReadParquet(file, file.Size())))
}

func TestReadParquetRefuses(t *testing.T) {
	read := func(file *bytes.Reader) (err error) {
		for _, err = range inventory.ReadParquet(file, file.Size()) {
		}
		return err
	}
	require.EqualError(t, read(parquetOf(t, struct {
		Name string `parquet:"name"`
	}{"k"})), "read parquet: there is no column key")
	require.EqualError(t, read(parquetOf(t, struct {
		Key  string `parquet:"key"`
		Size string `parquet:"size"`
	}{"k", "1"})), "read parquet: column size: its type is STRING, want INT64")
	assert.EqualError(t, read(parquetOf(t, struct {
		Key []string `parquet:"key"`
	}{[]string{"k"}})), "read parquet: column key: want one value a row")
}

// A damaged file gives rows or an error, and never a panic.
func TestReadParquetThatIsDamaged(t *testing.T) {
	var file bytes.Buffer
	w := inventory.NewParquetWriter(&file, inventory.VersionColumns)
	for range 500 {
		require.NoError(t, w.Write(&version))
	}
	require.NoError(t, w.Close())
	for seed := range uint64(300) { // always the same: what the library makes room for is bounded by what it has seen
		r := rand.New(rand.NewPCG(seed, 0))
		damaged := bytes.Clone(file.Bytes())
		for range 1 + seed%3 {
			damaged[r.IntN(len(damaged))] = byte(r.Uint32())
		}
		for _, err := range inventory.ReadParquet(bytes.NewReader(damaged), int64(len(damaged))) {
			if err != nil {
				assert.ErrorContains(t, err, "read parquet: ")
			}
		}
	}
}

// A consumer that has enough stops the reading, in every format.
func TestReadingCanStop(t *testing.T) {
	objects := awkward()
	readings := []iter.Seq2[inventory.Object, error]{
		inventory.ReadCSV(strings.NewReader(realRows), realSchema),
		readParquet(t, inventory.CurrentColumns, objects),
	}
	for _, f := range all {
		var block []byte
		for i := range objects {
			block = f.Layout().Append(block, &objects[i])
		}
		readings = append(readings, f.Layout().Read(bytes.NewReader(block)))
	}
	for _, reading := range readings {
		n := 0
		for _, err := range reading {
			require.NoError(t, err)
			if n++; n == 2 {
				break
			}
		}
		assert.Equal(t, 2, n)
	}
}

func TestParseManifest(t *testing.T) {
	content, err := os.ReadFile("testdata/manifest.json")
	require.NoError(t, err)
	m, err := inventory.ParseManifest(content)
	require.NoError(t, err)
	assert.Equal(t, inventory.CurrentColumns, m.Columns())
	assert.Equal(t, []inventory.File{{Key: "data/part-00001.csv.gz", Size: 2147483647, MD5: "f11166069f1990abeb9c97ace9cdfabc"}}, m.Files)

	// What is written can be read, columns and all.
	for _, l := range []inventory.Layout{
		inventory.CSV.With(inventory.VersionColumns), inventory.NDJSON.With(inventory.VersionColumns),
		inventory.Parquet.With(inventory.VersionColumns), inventory.Keys.Layout(),
	} {
		content, _, err := inventory.NewManifest(l, "b", "d", time.Now()).Encode()
		require.NoError(t, err)
		m, err := inventory.ParseManifest(content)
		require.NoError(t, err)
		f, err := m.Format()
		require.NoError(t, err)
		assert.Equal(t, l, f.With(m.Columns()))
		if f == inventory.Parquet {
			continue
		}
		want := []inventory.Object{version, marker}
		file := l.Pack(nil, l.Append(l.Append(nil, &version), &marker))
		if f == inventory.Keys {
			want = kept(f, want)
		}
		assert.Equal(t, want, collect(t, m.Read(bytes.NewReader(file), int64(len(file)))))
	}

	s3, err := inventory.ParseManifest([]byte(`{"sourceBucket":"s","destinationBucket":"arn:aws:s3:::d","version":"2016-11-30",
		"creationTimestamp":"1514944800000","fileFormat":"CSV","fileSchema":"` + realSchema + `","files":[]}`))
	require.NoError(t, err)
	assert.True(t, s3.Columns().Has("IsMultipartUploaded"))
	assert.False(t, s3.Columns().Has("ObjectOwner"))
	zipped := inventory.CSV.Pack(nil, []byte(realRows))
	assert.Equal(t, realObjects, collect(t, s3.Read(bytes.NewReader(zipped), int64(len(zipped)))))

	parquet, err := inventory.ParseManifest([]byte(`{"fileFormat":"Parquet","fileSchema":"message s3.inventory {  required binary bucket (UTF8);` +
		`  required binary key (UTF8);  optional binary version_id (UTF8);  optional int64 last_modified_date (TIMESTAMP_MILLIS);  optional binary object_owner (UTF8);}","files":[]}`))
	require.NoError(t, err)
	assert.Equal(t, "bucket,key,versionid,lastmodifieddate", parquet.Columns().String())

	for _, c := range []struct{ content, want string }{
		{`[]`, "parse manifest: json: cannot unmarshal"},
		{`{"files":[]}`, "it is not a manifest of S3 Inventory"},
		{`{"fileFormat":"ORC","fileSchema":"struct<bucket:string,key:string>","files":[]}`, `parse manifest: fileFormat is "ORC", want one of Keys, CSV, NDJSON, Parquet`},
		{`{"fileFormat":"CSV","fileSchema":"Bucket, Size","files":[]}`, `its fileSchema "Bucket, Size" has no Key`},
		{`{"fileFormat":"CSV","fileSchema":"Key","files":[{"size":1}]}`, "file 1 has no key"},
	} {
		_, err := inventory.ParseManifest([]byte(c.content))
		assert.ErrorContains(t, err, c.want)
	}
}

// endless is a text that begins, and then goes on for ever.
type endless struct {
	begin string
	read  int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.begin)
	e.begin = e.begin[n:]
	for i := n; i < len(p); i++ {
		p[i] = 'x'
	}
	e.read += len(p)
	return len(p), nil
}

// A row without an end is not taken into memory: it is refused.
func TestARowHasAnEnd(t *testing.T) {
	for format, begin := range map[string]string{"keys": "", "csv": "\"b\",\"", "ndjson": "{\"key\":\"a\"}\n{\"key\":\""} {
		layout, err := inventory.ParseLayout(format, "")
		require.NoError(t, err)
		e := &endless{begin: begin}
		for _, err = range layout.Read(e) {
		}
		require.Error(t, err, format)
		assert.Less(t, e.read, 8<<20, format)
	}
	long := `{"key":"` + strings.Repeat("k", 1<<19) + `"}` + "\n"
	got := collect(t, inventory.NDJSON.Layout().Read(strings.NewReader(strings.Repeat(long, 9))))
	assert.Len(t, got, 9)
}

// What a row holds beside what we know may be nested, and not without end.
func TestDeepRows(t *testing.T) {
	deep := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
	var failed error
	for _, err := range inventory.NDJSON.Layout().Read(strings.NewReader(`{"key":"a"}` + "\n" + `{"key":"b","more":` + deep + "}\n")) {
		failed = err
	}
	require.ErrorContains(t, failed, "row 2")
	require.ErrorContains(t, failed, "exceeded max depth")
	assert.Less(t, len(failed.Error()), 200)
}
