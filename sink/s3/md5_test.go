package s3_test

import (
	"crypto/md5" // as in the manifest
	"encoding/hex"
)

func md5Of(content []byte) string {
	sum := md5.Sum(content)
	return hex.EncodeToString(sum[:])
}
