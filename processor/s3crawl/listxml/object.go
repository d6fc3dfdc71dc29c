package listxml

import "github.com/ramify/ramify/inventory"

// texts are an object's, before it is known how they are encoded: EncodingType
// may stand behind them.
type texts struct{ key, etag, version ref }

// object reads an object, a version or a delete marker, whose start tag was read
// last.
func (d *decoder) object(deleted bool) error {
	begin := d.open[len(d.open)-1].from - 1
	d.add(deleted)
	var said field
	for {
		local, ok, err := d.child()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		var r ref
		f := fieldOf(local)
		switch {
		case f == ignored:
			if err := d.skip(); err != nil {
				return err
			}
			continue
		case said&f != 0 || f == 0:
			return ErrDoubt
		case f == etag:
			r, err = d.quoted()
		default:
			r, err = d.value()
		}
		if err != nil {
			return err
		}
		said |= f
		if !d.set(f, r) {
			return ErrDoubt
		}
	}
	d.form(deleted).learn(d.doc, begin, d.at)
	return nil
}

// fieldOf is what an element of an object says; 0 is in doubt.
func fieldOf(local []byte) field {
	switch string(local) {
	case "Key":
		return key
	case "LastModified":
		return lastModified
	case "ETag":
		return etag
	case "Size":
		return size
	case "StorageClass":
		return storageClass
	case "VersionId":
		return versionID
	case "IsLatest":
		return isLatest
	}
	if folds(local, "Key", "LastModified", "ETag", "Size", "StorageClass", "VersionId", "IsLatest") {
		return 0
	}
	return ignored
}

// add begins an object.
func (d *decoder) add(deleted bool) {
	d.page.Objects = append(d.page.Objects, inventory.Object{IsDeleteMarker: deleted})
	d.texts = append(d.texts, texts{})
}

// drop takes the last object back.
func (d *decoder) drop() {
	d.page.Objects = d.page.Objects[:len(d.page.Objects)-1]
	d.texts = d.texts[:len(d.texts)-1]
}

// set notes what the text of an element says of the last object; not ok where it
// says no such thing.
func (d *decoder) set(f field, r ref) (ok bool) {
	last := len(d.page.Objects) - 1
	o, t := &d.page.Objects[last], &d.texts[last]
	switch f {
	case key:
		t.key = r
	case lastModified:
		o.LastModified, ok = dateTime(d.bytes(r))
		return ok
	case etag:
		t.etag = r
	case size:
		o.Size, ok = number(d.bytes(r))
		return ok
	case storageClass:
		if last > 0 && d.page.Objects[last-1].StorageClass == string(d.bytes(r)) {
			o.StorageClass = d.page.Objects[last-1].StorageClass // neighbours share the text
		} else {
			o.StorageClass = class(d.bytes(r))
		}
	case versionID:
		t.version = r
	case isLatest:
		latest, err := boolean(d.bytes(r))
		o.IsLatest = latest
		return err == nil
	}
	return true
}
