package s3serve

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxKeyLength is the longest key in bytes that S3 allows.
const MaxKeyLength = 1024

// DefaultStorageClass is the class of an object that names none.
const DefaultStorageClass = "STANDARD"

// Object is one object as a listing shows it.
type Object struct {
	// Key is the object's name: 1 to [MaxKeyLength] bytes of valid UTF-8.
	Key string
	// Size is the length of the content in bytes.
	Size int64
	// LastModified is kept to the second, as S3 does. The zero time means one
	// derived from the key, the same every time.
	LastModified time.Time
	// ETag stands without its quotes. An empty one is derived from key, size
	// and time.
	ETag string
	// StorageClass is [DefaultStorageClass] where empty.
	StorageClass string
}

// A record is how an object lies in memory: its key, one byte of flags, eight
// bytes of hash, then only what the flags say. A key without attributes of its
// own costs nine bytes besides itself, whatever the listing shows for it.
const (
	flagSize  = 1 << iota // size and time are stored, else derived from the hash
	flagETag              // an ETag is stored, else derived from the hash
	flagClass             // a storage class is stored
	flagFile              // the content is a file below the listing's folder
)

const hashSize = 8

// attrs is a decoded record without its key.
type attrs struct {
	size    int64
	seconds int64
	hash    uint64
	etag    []byte // nil: derived from hash
	class   []byte // nil: the default
	file    bool
}

// derivedSince is when the oldest derived modification time lies.
const (
	derivedSince = 1451606400 // 2016-01-01T00:00:00Z
	derivedSpan  = 8 * 365 * 24 * 3600
)

func validate(o Object) error {
	switch {
	case o.Size < 0:
		return fmt.Errorf("object %q: negative size %d", o.Key, o.Size)
	case o.LastModified.Year() > 9999 || o.LastModified.Year() < 0:
		return fmt.Errorf("object %q: time out of range", o.Key)
	}
	return validateKey(o.Key)
}

func validateKey(key string) error {
	switch {
	case key == "":
		return errors.New("empty key")
	case len(key) > MaxKeyLength:
		return fmt.Errorf("key %.40q...: %d bytes, more than %d", key, len(key), MaxKeyLength)
	case !utf8.ValidString(key):
		return fmt.Errorf("key %q: not valid UTF-8", key)
	}
	return nil
}

// appendKeyRecord appends the record of a key whose attributes are derived.
func appendKeyRecord[T string | []byte](b []byte, key T) []byte {
	b = append(b, key...)
	b = append(b, 0)
	return binary.LittleEndian.AppendUint64(b, hashKey(key))
}

// appendRecord appends the record of o, which must be valid.
func appendRecord(b []byte, o Object, file bool) []byte {
	h := hashKey(o.Key)
	d := derive(h)
	if o.LastModified.IsZero() {
		o.LastModified = time.Unix(d.seconds, 0)
	}
	seconds := o.LastModified.Unix()
	etag := strings.Trim(o.ETag, `"`)
	if o.StorageClass == DefaultStorageClass {
		o.StorageClass = ""
	}

	flags := byte(flagSize)
	h = mix(h ^ mix(uint64(o.Size)) ^ mix(uint64(seconds)+1))
	if etag != "" {
		flags |= flagETag
	}
	if o.StorageClass != "" {
		flags |= flagClass
	}
	if file {
		flags |= flagFile
	}
	b = append(b, o.Key...)
	b = append(b, flags)
	b = binary.LittleEndian.AppendUint64(b, h)
	b = binary.AppendUvarint(b, uint64(o.Size))
	b = binary.AppendVarint(b, seconds)
	if etag != "" {
		b = appendCounted(b, etag)
	}
	if o.StorageClass != "" {
		b = appendCounted(b, o.StorageClass)
	}
	return b
}

func appendCounted(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// decodeRecord reads what follows the key in a record.
func decodeRecord(b []byte) attrs {
	flags, h := b[0], binary.LittleEndian.Uint64(b[1:])
	if flags == 0 {
		return derive(h)
	}
	a := attrs{hash: h, file: flags&flagFile != 0}
	b = b[1+hashSize:]
	size, n := binary.Uvarint(b)
	seconds, m := binary.Varint(b[n:])
	b = b[n+m:]
	a.size, a.seconds = int64(size), seconds
	if flags&flagETag != 0 {
		a.etag, b = counted(b)
	}
	if flags&flagClass != 0 {
		a.class, _ = counted(b)
	}
	return a
}

func counted(b []byte) (s, rest []byte) {
	n, w := binary.Uvarint(b)
	b = b[w:]
	return b[:n], b[n:]
}

// derive makes up attributes from a key's hash: sizes from nothing to 1 MiB,
// each order of magnitude as likely as the next, and times over eight years.
func derive(h uint64) attrs {
	return attrs{
		size:    int64((h >> 8) & (1<<(h%21) - 1)),
		seconds: derivedSince + int64(mix(h)%derivedSpan),
		hash:    h,
	}
}

// appendETag appends the ETag without quotes. A derived one ends in "-1", as
// after a multipart upload, so that no client takes it for the content's MD5.
func (a *attrs) appendETag(b []byte) []byte {
	if a.etag != nil {
		return append(b, a.etag...)
	}
	b = appendHex(b, mix(a.hash^0x5bd1e995))
	b = appendHex(b, mix(a.hash^0x9e3779b97f4a7c15))
	return append(b, "-1"...)
}

func (a *attrs) object(key []byte) Object {
	o := Object{
		Key:          string(key),
		Size:         a.size,
		LastModified: time.Unix(a.seconds, 0).UTC(),
		ETag:         string(a.appendETag(nil)),
		StorageClass: DefaultStorageClass,
	}
	if a.class != nil {
		o.StorageClass = string(a.class)
	}
	return o
}

func appendHex(b []byte, x uint64) []byte {
	const digits = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, digits[(x>>shift)&15])
	}
	return b
}

// hashKey is FNV-1a, finished by mix. It must never change: derived attributes
// are part of what recorded results are compared with.
func hashKey[T string | []byte](key T) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(key) {
		h = (h ^ uint64(key[i])) * 1099511628211
	}
	return mix(h)
}

// mix is the finaliser of SplitMix64.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
