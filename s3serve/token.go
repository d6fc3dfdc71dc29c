package s3serve

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
)

var errToken = errors.New("not a continuation token")

// appendToken appends the token of a walk that goes on after at. The token is
// the whole state, so it holds over requests, changes of the bucket and
// restarts. It is standard base64, whose +, / and = a client must encode, as it
// must for those of AWS; its checksum keeps anything else from passing for one.
func appendToken(b, at []byte) []byte {
	raw := binary.LittleEndian.AppendUint32(make([]byte, 0, 4+len(at)), crc32.ChecksumIEEE(at))
	return base64.StdEncoding.AppendEncode(b, append(raw, at...))
}

func parseToken(token string) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(token)
	if err != nil || len(raw) < 5 || binary.LittleEndian.Uint32(raw) != crc32.ChecksumIEEE(raw[4:]) {
		return nil, errToken
	}
	return raw[4:], nil
}
