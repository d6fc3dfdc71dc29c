package s3copy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/processor"
	"github.com/ramify/ramify/s3client"
)

// copier copies objects of one node.
type copier struct {
	order    Order
	from, to *store
	source   string // bucket
	folder   string // of the source: what follows it is the key below the destination
	out      processor.Out
	due      func() bool // the unit is to end soon
}

// copier makes one for a bucket and the root's prefix.
func (p *Processor) copier(ctx context.Context, o Order, bucket, root string, out processor.Out) (*copier, error) {
	to, err := p.stores.of(ctx, o.account())
	if err != nil {
		return nil, err
	}
	if to.same {
		there := o
		there.Endpoint = "" // it names the store that the source is in
		if err := there.apart(bucket, root); err != nil {
			return nil, processor.Permanent(fmt.Errorf("read args: %w", err))
		}
	}
	return &copier{order: o, from: p.source, to: to, source: bucket, folder: folderOf(root), out: out}, nil
}

func (c *copier) target(key string) string { return c.order.target(key, c.folder) }

// allow is what S3 must allow, for errors.
func (c *copier) allow() string {
	return "s3:GetObject and s3:GetObjectTagging on arn:aws:s3:::" + c.source + "/*, s3:PutObject and s3:PutObjectTagging on arn:aws:s3:::" +
		c.order.bucket + "/*, and the use of their keys if they are encrypted,"
}

// explainList makes one line of an error of a LIST of the destination.
func (c *copier) explainList(err error) error {
	permanent, line := s3client.Explain("list s3://"+c.order.bucket+"/"+s3client.Shorten(s3client.Readable(c.order.prefix), 200),
		"s3:ListBucket on arn:aws:s3:::"+c.order.bucket, err)
	if permanent {
		return processor.Permanent(line)
	}
	return line
}

// settle copies an object, unless the destination has its like already. It says
// what was done.
func (c *copier) settle(ctx context.Context, o, d *inventory.Object, unknown bool) (message string, err error) {
	if unknown {
		found, err := c.find(ctx, c.target(o.Key))
		if err != nil {
			return "", err
		}
		d = &found
	}
	same := alike(o, d)
	if same == perhaps {
		if same, err = c.lookAlike(ctx, o, d); err != nil {
			return "", err
		}
	}
	switch {
	case same == equal:
		return "equal: not copied", nil
	case same == taken:
		return "taken for equal (same size, not older; there is no checksum to compare): not copied", nil
	case c.order.DryRun:
		return "would be copied", nil
	case o.Size > c.order.Above:
		return c.inParts(ctx, o)
	case c.order.Through:
		return c.through(ctx, o)
	}
	return c.atOnce(ctx, o)
}

// atOnce copies an object by one request, which keeps metadata, headers and tags.
func (c *copier) atOnce(ctx context.Context, o *inventory.Object) (string, error) {
	key, from := c.target(o.Key), sourceOf(c.source, o.Key)
	in := &s3.CopyObjectInput{
		Bucket: &c.order.bucket, Key: &key, CopySource: &from, StorageClass: c.class(o.StorageClass),
		ServerSideEncryption: types.ServerSideEncryption(c.order.SSE), SSEKMSKeyId: given(c.order.KMSKey),
	}
	if o.ETag != "" {
		in.CopySourceIfMatch = aws.String(`"` + o.ETag + `"`)
	}
	res, err := ask(ctx, c.to, "copy", c.order.bucket, c.out.Request, func(ctx context.Context, opts ...func(*s3.Options)) (*s3.CopyObjectOutput, error) {
		return c.to.s3.API().CopyObject(ctx, in, append(opts, quickly)...)
	})
	if err != nil {
		return "", err
	}
	made := copied{sse: res.ServerSideEncryption}
	if r := res.CopyObjectResult; r != nil {
		made.etag = strings.Trim(aws.ToString(r.ETag), `"`)
		made.sums = sums{r.ChecksumCRC64NVME, r.ChecksumCRC32C, r.ChecksumCRC32, r.ChecksumSHA256, r.ChecksumSHA1}.whole(r.ChecksumType)
	}
	return c.verify(ctx, o, made, nil)
}

// class is that of the copy: "" is STANDARD, which S3 takes where none is said.
func (c *copier) class(source string) types.StorageClass {
	class := c.order.StorageClass
	if class == "" {
		class = source
	}
	if class == string(types.StorageClassStandard) || strings.HasSuffix(c.order.bucket, "--x-s3") {
		return ""
	}
	return types.StorageClass(class)
}

// head asks what is known of an object, its checksums included.
func (c *copier) head(ctx context.Context, st *store, in *s3.HeadObjectInput) (*s3.HeadObjectOutput, error) {
	in.ChecksumMode = types.ChecksumModeEnabled
	h, err := ask(ctx, st, "head", *in.Bucket, c.out.Request, func(ctx context.Context, opts ...func(*s3.Options)) (*s3.HeadObjectOutput, error) {
		return st.s3.API().HeadObject(ctx, in, opts...)
	})
	if err == nil && (h.ContentLength == nil || h.ETag == nil) {
		err = &s3client.AnswerError{What: "the answer to HEAD has no length or no ETag"}
	}
	return h, err
}

// headSource is head of the source as it was listed.
func (c *copier) headSource(ctx context.Context, o *inventory.Object) (*s3.HeadObjectOutput, error) {
	in := &s3.HeadObjectInput{Bucket: &c.source, Key: &o.Key}
	if o.ETag != "" {
		in.IfMatch = aws.String(`"` + o.ETag + `"`)
	}
	return c.head(ctx, c.from, in)
}

// copied is what is known of a copy that was made.
type copied struct {
	etag string
	sse  types.ServerSideEncryption
	sums map[string]string
}

// sums are checksums in the order of sumNames; nil is none.
type sums [5]*string

var sumNames = [5]string{"CRC64NVME", "CRC32C", "CRC32", "SHA256", "SHA1"}

// whole are those that are of the whole content, by their names: composite ones
// depend on how an object was cut into parts.
func (s sums) whole(t types.ChecksumType) map[string]string {
	if t == types.ChecksumTypeComposite {
		return nil
	}
	var all map[string]string
	for i, sum := range s {
		if sum == nil || *sum == "" || strings.Contains(*sum, "-") {
			continue
		}
		if all == nil {
			all = map[string]string{}
		}
		all[sumNames[i]] = *sum
	}
	return all
}

func sumsOf(h *s3.HeadObjectOutput) map[string]string {
	return sums{h.ChecksumCRC64NVME, h.ChecksumCRC32C, h.ChecksumCRC32, h.ChecksumSHA256, h.ChecksumSHA1}.whole(h.ChecksumType)
}

// digest reports whether the ETag of an object so encrypted is made of the
// content's MD5.
func digest(h *s3.HeadObjectOutput) bool {
	return isDigest(h.ServerSideEncryption) && h.SSECustomerAlgorithm == nil
}

func isDigest(sse types.ServerSideEncryption) bool {
	return sse == "" || sse == types.ServerSideEncryptionAes256
}

// compareSums compares checksums of the same kind, if there are any. All must be the
// same: two contents can be made to have one CRC.
func compareSums(a, b map[string]string) (name string, same bool) {
	for _, kind := range sumNames {
		x, y := a[kind], b[kind]
		switch {
		case x == "" || y == "":
		case x != y:
			return kind, false
		case name == "":
			name, same = kind, true
		}
	}
	return name, same
}

// verify compares a copy with its source, of which h is known if it is not nil. A
// listing has the source's ETag: mostly that suffices, and nothing is asked.
func (c *copier) verify(ctx context.Context, o *inventory.Object, made copied, h *s3.HeadObjectOutput) (message string, err error) {
	if made.etag != "" && made.etag == o.ETag {
		return "copied: ETag equal", nil
	}
	const none = "copied: there is no checksum to compare"
	if h == nil && made.sums == nil && (!plain(o.ETag) || !plain(made.etag) || !isDigest(made.sse)) {
		return none, nil // whatever the source has
	}
	if h == nil {
		if h, err = c.headSource(ctx, o); err != nil {
			return "", err
		}
	}
	if name, same := compareSums(sumsOf(h), made.sums); name != "" {
		if same {
			return "copied: " + name + " equal", nil
		}
		return "", c.unequal(o, name)
	}
	if plain(o.ETag) && plain(made.etag) && digest(h) && isDigest(made.sse) {
		return "", c.unequal(o, "ETag")
	}
	return none, nil
}

func (c *copier) unequal(o *inventory.Object, what string) error {
	return &failure{Code: codeDiffers, Message: fmt.Sprintf("copy s3://%s/%s: the copy's %s is not the source's", c.source, s3client.Shorten(s3client.Readable(o.Key), 200), what)}
}

// lookAlike looks closer at two objects of the same size whose ETags say nothing:
// by checksums, where both have one; else the copy is taken for equal if it was
// written after its source was, as `aws s3 sync` does.
func (c *copier) lookAlike(ctx context.Context, o, d *inventory.Object) (likeness, error) {
	a, err := c.headSource(ctx, o)
	if err != nil {
		return differs, err
	}
	b, err := c.head(ctx, c.to, &s3.HeadObjectInput{Bucket: &c.order.bucket, Key: &d.Key})
	if err != nil {
		if s3client.Missing(err) {
			return differs, nil
		}
		return differs, err
	}
	if name, same := compareSums(sumsOf(a), sumsOf(b)); name != "" {
		if same {
			return equal, nil
		}
		return differs, nil
	}
	if plain(o.ETag) && plain(d.ETag) && digest(a) && digest(b) {
		return differs, nil
	}
	// Of an object that is copied again after a failure, no listing says when it was
	// written.
	if aws.ToTime(b.LastModified).Before(aws.ToTime(a.LastModified)) {
		return differs, nil
	}
	return taken, nil
}

// sourceOf names a source as CopySource does: URL-encoded.
func sourceOf(bucket, key string) string {
	const digits = "0123456789ABCDEF"
	b := make([]byte, 0, len(bucket)+len(key)+16)
	b = append(append(b, bucket...), '/')
	for i := range len(key) {
		switch ch := key[i]; {
		case 'a' <= ch && ch <= 'z', 'A' <= ch && ch <= 'Z', '0' <= ch && ch <= '9', ch == '/', ch == '-', ch == '_', ch == '.', ch == '~':
			b = append(b, ch)
		default:
			b = append(b, '%', digits[ch>>4], digits[ch&15])
		}
	}
	return string(b)
}

func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

var errNoPart = errors.New("the answer names no ETag")
