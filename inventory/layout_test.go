package inventory_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ramify/ramify/inventory"
)

var allColumns = []string{
	"bucket", "key", "versionid", "islatest", "isdeletemarker", "size", "lastmodifieddate", "etag", "storageclass", "ismultipartuploaded",
}

// version is a version of an object, with all that can be known of one.
var version = inventory.Object{
	Bucket: "b", Key: "a \"key\"", VersionID: "3/L4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY", IsLatest: true, Size: 7,
	LastModified: time.UnixMilli(1514944800001).UTC(), ETag: "d41d8cd98f00b204e9800998ecf8427e-12", StorageClass: "STANDARD",
}

// marker is a delete marker, of which little can be known.
var marker = inventory.Object{
	Bucket: "b", Key: "gone", VersionID: "null", IsDeleteMarker: true, LastModified: time.UnixMilli(1514944800000).UTC(),
}

func layout(t require.TestingT, format, columns string) inventory.Layout {
	l, err := inventory.ParseLayout(format, columns)
	require.NoError(t, err)
	return l
}

func TestColumnsOfRows(t *testing.T) {
	for _, c := range []struct {
		format, columns string
		want            string // of version and of marker
	}{
		{"csv", "key", "\"a+%22key%22\"\n\"gone\"\n"},
		{"csv", "ETag, Size ,KEY", `"d41d8cd98f00b204e9800998ecf8427e-12","7","a+%22key%22"` + "\n" + `"","","gone"` + "\n"},
		{"csv", "key,versionid,islatest,isdeletemarker,ismultipartuploaded", `"a+%22key%22","3/L4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY","true","false","true"` + "\n" +
			`"gone","null","false","true",""` + "\n"},
		{"ndjson", "storageclass,key", `{"storageclass":"STANDARD","key":"a \"key\""}` + "\n" + `{"storageclass":"","key":"gone"}` + "\n"},
		{"ndjson", "VersionId,IsLatest,IsDeleteMarker,Size,IsMultipartUploaded", `{"versionid":"3/L4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY","islatest":true,"isdeletemarker":false,"size":7,"ismultipartuploaded":true}` + "\n" +
			`{"versionid":"null","islatest":false,"isdeletemarker":true,"size":null,"ismultipartuploaded":null}` + "\n"},
		{"keys", "", "a \"key\"\ngone\n"},
	} {
		l := layout(t, c.format, c.columns)
		assert.Equal(t, c.want, string(l.Append(l.Append(nil, &version), &marker)), "%s", l)
	}
}

func TestMultipart(t *testing.T) {
	l := layout(t, "csv", "ismultipartuploaded")
	for etag, want := range map[string]string{
		"": "", "abc": "false", "abc-": "false", "abc-1": "true", "abc-10000": "true", "-1": "false", "1": "false", "a-b-3": "true", "abc-1x": "false",
	} {
		assert.Equal(t, fmt.Sprintf("%q\n", want), string(l.Append(nil, &inventory.Object{ETag: etag})), "%q", etag)
	}
}

// Whatever the columns, what they say comes back.
func TestAnyColumnsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.Permutation(allColumns).Draw(t, "columns")
		names = names[:rapid.IntRange(1, len(names)).Draw(t, "how many")]
		objects := rapid.SliceOfN(anyVersion(), 0, 8).Draw(t, "objects")
		for _, f := range []string{"csv", "ndjson", "parquet"} {
			l := layout(t, f, strings.Join(names, ","))
			if f == "parquet" && !l.Columns().Has("key") {
				continue // it is written, but not read: nobody calls that a listing
			}
			got := roundTrip(t, l, objects, 3)
			require.Len(t, got, len(objects))
			for i, o := range objects {
				assert.Equal(t, said(l, o), got[i], "%s", l)
			}
		}
	})
}

// said is what is left of an object where only some columns are kept.
func said(l inventory.Layout, o inventory.Object) (s inventory.Object) {
	has := l.Columns().Has
	for name, set := range map[string]func(){
		"bucket":           func() { s.Bucket = o.Bucket },
		"key":              func() { s.Key = o.Key },
		"versionid":        func() { s.VersionID = o.VersionID },
		"islatest":         func() { s.IsLatest = o.IsLatest },
		"isdeletemarker":   func() { s.IsDeleteMarker = o.IsDeleteMarker },
		"size":             func() { s.Size = o.Size },
		"lastmodifieddate": func() { s.LastModified = o.LastModified },
		"etag":             func() { s.ETag = o.ETag },
		"storageclass":     func() { s.StorageClass = o.StorageClass },
	} {
		if has(name) {
			set()
		}
	}
	if l.Format() == inventory.CSV && has("size") && !has("isdeletemarker") {
		s.IsDeleteMarker = o.IsDeleteMarker // a size that is missing tells
	}
	return s
}

// anyVersion draws an object, a version or a delete marker.
func anyVersion() *rapid.Generator[inventory.Object] {
	return rapid.Custom(func(t *rapid.T) inventory.Object {
		o := object().Draw(t, "object")
		o.VersionID = rapid.StringMatching(`[!-~]{0,20}`).Draw(t, "version")
		o.IsLatest = rapid.Bool().Draw(t, "latest")
		if o.IsDeleteMarker = rapid.Bool().Draw(t, "marker"); o.IsDeleteMarker {
			o.Size, o.ETag, o.StorageClass = 0, "", ""
		}
		return o
	})
}

// A layout is stored with a run by its names, and found again.
func TestLayoutNames(t *testing.T) {
	usual := inventory.CurrentColumns.String()
	assert.Equal(t, "bucket,key,size,lastmodifieddate,etag,storageclass", usual)
	assert.Equal(t, "bucket,key,versionid,islatest,isdeletemarker,size,lastmodifieddate,etag,storageclass", inventory.VersionColumns.String())
	for _, f := range all {
		assert.Equal(t, f.Layout(), layout(t, f.String(), ""))
		assert.Equal(t, f.String(), f.Layout().String())
		if f != inventory.Keys {
			assert.Equal(t, f.Layout(), layout(t, f.String(), usual))
			l := layout(t, f.String(), "KEY, Size")
			assert.Equal(t, f.String()+"(key,size)", l.String())
			assert.Equal(t, l, layout(t, f.String(), l.Columns().String()))
			assert.NotEqual(t, l, layout(t, f.String(), "size,key"))
		}
	}
	for _, c := range []struct{ format, columns, want string }{
		{"orc", "", `parse format "orc": want one of keys, csv, ndjson, parquet`},
		{"csv", "key,colour", `parse columns "key,colour": "colour" is none of bucket, key, versionid, islatest, isdeletemarker, size, lastmodifieddate, etag, storageclass, ismultipartuploaded`},
		{"csv", "key,", `parse columns "key,": "" is none of `},
		{"csv", "key,size,Key", `parse columns "key,size,Key": key stands there twice`},
		{"keys", "key", `parse columns "key": format keys writes keys and nothing else; want csv, ndjson or parquet`},
	} {
		_, err := inventory.ParseLayout(c.format, c.columns)
		assert.ErrorContains(t, err, c.want)
	}
}

func TestSchemas(t *testing.T) {
	for _, c := range []struct{ format, columns, want string }{
		{"csv", "key,VERSIONID,ismultipartuploaded", "Key, VersionId, IsMultipartUploaded"},
		{"ndjson", "Key,VersionId", "key, versionid"},
		{"keys", "", "Key"},
		{"parquet", "size,key,islatest", "message s3.inventory {  optional int64 size;  required binary key (STRING);  optional boolean is_latest;}"},
	} {
		assert.Equal(t, c.want, layout(t, c.format, c.columns).Schema())
	}
}
