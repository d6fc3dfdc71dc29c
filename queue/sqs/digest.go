package sqs

import (
	"crypto/md5" // #nosec G501 -- SQS answers with it; against accidents only
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// verify compares a body and attributes with the MD5 digests that SQS has of
// them. A digest that it does not give is not compared.
func verify(body []byte, bodySum *string, attrs map[string]types.MessageAttributeValue, attrsSum *string) error {
	if sum := md5.Sum(body); bodySum != nil && hex.EncodeToString(sum[:]) != *bodySum {
		return fmt.Errorf("MD5 of the body is %x, and %s to SQS: it was damaged on its way", sum, *bodySum)
	}
	if attrsSum == nil || len(attrs) == 0 {
		return nil
	}
	if sum := attributesSum(attrs); sum != *attrsSum {
		return fmt.Errorf("MD5 of the attributes is %s, and %s to SQS: they were damaged on their way", sum, *attrsSum)
	}
	return nil
}

// attributesSum is the MD5 of attributes, sorted by name: name, type and value,
// each after its length, the value after a byte that says how it is stored.
// Source: Amazon SQS Developer Guide, "Amazon SQS message metadata", "Calculating
// the MD5 message digest for message attributes".
func attributesSum(attrs map[string]types.MessageAttributeValue) string {
	h := md5.New()
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		a := attrs[name]
		prefixed(h, []byte(name))
		prefixed(h, []byte(aws.ToString(a.DataType)))
		if a.BinaryValue != nil {
			h.Write([]byte{2})
			prefixed(h, a.BinaryValue)
			continue
		}
		h.Write([]byte{1})
		prefixed(h, []byte(aws.ToString(a.StringValue)))
	}
	return hex.EncodeToString(h.Sum(nil))
}

func prefixed(h hash.Hash, b []byte) {
	var n [4]byte
	binary.BigEndian.PutUint32(n[:], uint32(len(b)))
	h.Write(n[:])
	h.Write(b)
}
