package s3

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/ramify/ramify/inventory"
	"github.com/ramify/ramify/sink"
)

// finishName is the object that says how Finish ended where there is no manifest.
const finishName = "finished"

// ending is how Finish ended: the metadata of the manifest.
type ending struct {
	Units  string `json:"units"` // names the set of them
	Files  int    `json:"files"`
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	Blocks string `json:"prefixes,omitempty"` // key of the sorted stream, below that of the run's parts

	etag string // "" of none
}

const endingName = "ramify-finish" // of the metadata

// errOvertaken is of a Finish while which another, of other units, came to its end.
var errOvertaken = errors.New("another process has finished these results meanwhile, with other units: finish again")

// Finish makes the inventory: data/GENERATION/part-00001… and manifest.json, which
// is written last and at once. A run without rows has a manifest without files.
// Rows keep the order of writing within a unit, through the files in the order of
// the manifest.
//
// It may be repeated, after a crash and after success, and by several processes at
// a time: a generation is named by the units that it is made of, in their order, so
// they write the same, or beside each other. When more units have been committed
// since, as by a redrive, all is made anew as another generation; the one before is
// left, so that who reads it is not disturbed.
//
// It reads the records of the units from the store: one request a unit, and the
// rows of those that are not large enough to be copied inside of it.
func (s *Sink) Finish(ctx context.Context, committed iter.Seq2[sink.Committed, error]) (sink.Summary, error) {
	s.finishing.Lock()
	defer s.finishing.Unlock()
	summary, err := s.finish(ctx, committed)
	if err != nil {
		return sink.Summary{}, fmt.Errorf("finish results: %w", err)
	}
	return summary, nil
}

func (s *Sink) finish(ctx context.Context, committed iter.Seq2[sink.Committed, error]) (_ sink.Summary, err error) {
	u, err := gather(ctx, committed)
	if err != nil {
		return sink.Summary{}, err
	}
	defer func() { err = errors.Join(err, u.remove()) }()
	before, err := s.last(ctx)
	if err != nil || before.Units == u.set {
		return s.summary(before), err
	}
	if err := s.step("begun"); err != nil {
		return sink.Summary{}, err
	}
	a := &assembly{ctx: ctx, sink: s, generation: u.order, blocks: sorter{most: sortable}}
	if err := a.assemble(u, before.etag != ""); err != nil {
		return sink.Summary{}, err
	}
	end := ending{Units: u.set, Blocks: a.sorted, etag: before.etag, Files: len(a.made)}
	for _, f := range a.made {
		end.Rows += f.Rows
		end.Bytes += f.Size
	}
	if err := s.step("assembled"); err != nil {
		return sink.Summary{}, err
	}
	return s.publish(ctx, end, a.made)
}

// last is how the last Finish ended, the zero ending if none did.
func (s *Sink) last(ctx context.Context) (e ending, err error) {
	key := s.endKey()
	etag, _, meta, err := s.head(ctx, key)
	if err != nil || etag == "" {
		return ending{}, err
	}
	if err := json.Unmarshal([]byte(meta[endingName]), &e); err != nil {
		return ending{}, fmt.Errorf("%w: %s is not of this run, or its metadata is gone: name another folder", sink.ErrFull, s.url(key))
	}
	e.etag = etag
	return e, nil
}

func (s *Sink) hasRows() bool { return s.options.Layout != inventory.Layout{} }

func (s *Sink) endKey() string {
	if s.hasRows() {
		return s.base + inventory.ManifestName
	}
	return s.parts + finishName
}

func (s *Sink) summary(e ending) sink.Summary {
	if !s.hasRows() {
		return sink.Summary{}
	}
	return sink.Summary{Location: s.url(s.endKey()), Files: e.Files, Rows: e.Rows, Bytes: e.Bytes}
}

// publish writes the checksum and the manifest, over the one that was there when
// Finish began and no other.
func (s *Sink) publish(ctx context.Context, end ending, made []file) (sink.Summary, error) {
	meta, err := json.Marshal(end)
	if err != nil {
		return sink.Summary{}, fmt.Errorf("encode manifest: %w", err)
	}
	manifest := []byte(nil)
	if s.hasRows() {
		var checksum []byte
		if manifest, checksum, err = s.manifest(made).Encode(); err != nil {
			return sink.Summary{}, err
		}
		if _, err := s.put(ctx, s.base+inventory.ChecksumName, checksum); err != nil {
			return sink.Summary{}, err
		}
	}
	if err := s.step("described"); err != nil {
		return sink.Summary{}, err
	}
	only := condition(ifAbsent)
	if end.etag != "" {
		only = ifMatch(end.etag)
	}
	won, err := s.put(ctx, s.endKey(), manifest, metadata(map[string]string{endingName: string(meta)}), only)
	if err != nil {
		return sink.Summary{}, err
	}
	if !won {
		return s.concede(ctx, end)
	}
	return s.summary(end), nil
}

// concede is what a Finish makes of a manifest that another wrote meanwhile: the
// checksum beside it was overwritten, and is that of the manifest again.
func (s *Sink) concede(ctx context.Context, own ending) (sink.Summary, error) {
	if s.hasRows() {
		manifest, err := s.get(ctx, s.endKey())
		if err != nil {
			return sink.Summary{}, err
		}
		if _, err := s.put(ctx, s.base+inventory.ChecksumName, inventory.Checksum(manifest)); err != nil {
			return sink.Summary{}, err
		}
	}
	other, err := s.last(ctx)
	if err == nil && other.Units != own.Units {
		err = errOvertaken
	}
	return s.summary(other), err
}

// manifest names files by their keys in the bucket, as S3 Inventory does.
func (s *Sink) manifest(made []file) *inventory.Manifest {
	m := inventory.NewManifest(s.options.Layout, s.options.Bucket, "arn:aws:s3:::"+s.bucket, s.options.Created)
	for _, f := range made {
		m.Files = append(m.Files, inventory.File{Key: f.Key, Size: f.Size, MD5: f.MD5})
	}
	return m
}
