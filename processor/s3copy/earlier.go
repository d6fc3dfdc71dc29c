package s3copy

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// find looks for the upload that an earlier attempt has begun, and for such as were
// begun for other versions of the object. Who may not look begins anew.
func (u *upload) find(ctx context.Context) (others []string, err error) {
	in := &s3.ListMultipartUploadsInput{Bucket: &u.order.bucket, Prefix: &u.key}
	for {
		got, err := ask(ctx, u.to, "list-uploads", u.order.bucket, u.out.Request, func(ctx context.Context, opts ...func(*s3.Options)) (*s3.ListMultipartUploadsOutput, error) {
			return u.to.s3.API().ListMultipartUploads(ctx, in, opts...)
		})
		if err != nil {
			return others, onlyGrave(ctx, err)
		}
		for _, up := range got.Uploads {
			if aws.ToString(up.Key) != u.key || up.UploadId == nil {
				continue
			}
			ours, version, err := u.look(ctx, *up.UploadId)
			switch {
			case err != nil:
				return others, onlyGrave(ctx, err)
			case ours && version && u.id == "":
				u.id = *up.UploadId
			case ours:
				others = append(others, *up.UploadId)
			}
		}
		if !aws.ToBool(got.IsTruncated) || aws.ToString(got.NextKeyMarker) > u.key || got.NextUploadIdMarker == nil {
			break
		}
		in.KeyMarker, in.UploadIdMarker = got.NextKeyMarker, got.NextUploadIdMarker
	}
	if u.id == "" {
		return others, nil
	}
	return others, u.list(ctx, u.id, "0", func(p *types.Part) {
		i := int(aws.ToInt32(p.PartNumber)) - 1
		if i < u.count && aws.ToInt64(p.Size) == u.length(i) && p.ETag != nil {
			u.parts[i] = p.ETag
			u.resumed++
		}
	})
}

// onlyGrave is an error that also what comes next would meet.
func onlyGrave(ctx context.Context, err error) error {
	if _, all := judge("", "", err); ctx.Err() != nil || all != nil {
		return err
	}
	return nil
}

// look reads in an upload whose it is.
func (u *upload) look(ctx context.Context, id string) (ours, version bool, err error) {
	object, all := 0, 0 // signs that are there
	err = u.list(ctx, id, fmt.Sprint(firstSign-1), func(p *types.Part) {
		i := int(aws.ToInt32(p.PartNumber)) - firstSign
		if i < 0 || i >= signs || aws.ToInt64(p.Size) != u.sign[i] {
			return
		}
		all++
		if i < objectSigns {
			object++
		}
	})
	return object == objectSigns, all == signs, err
}

// list reads the parts of an upload that follow one.
func (u *upload) list(ctx context.Context, id, after string, each func(*types.Part)) error {
	in := &s3.ListPartsInput{Bucket: &u.order.bucket, Key: &u.key, UploadId: &id, PartNumberMarker: &after}
	for {
		got, err := ask(ctx, u.to, "list-parts", u.order.bucket, u.out.Request, func(ctx context.Context, opts ...func(*s3.Options)) (*s3.ListPartsOutput, error) {
			return u.to.s3.API().ListParts(ctx, in, opts...)
		})
		if err != nil {
			return err
		}
		for i := range got.Parts {
			each(&got.Parts[i])
		}
		next := aws.ToString(got.NextPartNumberMarker)
		if !aws.ToBool(got.IsTruncated) || next == "" || next == *in.PartNumberMarker {
			return nil
		}
		in.PartNumberMarker = &next
	}
}
