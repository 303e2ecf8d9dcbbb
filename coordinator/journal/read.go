package journal

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"golang.org/x/mod/sumdb/tlog"
)

// state is what is known of a file: all of it but the records.
type state struct {
	tree    tree
	head    Head
	own     identity
	old     old   // what precedes all batches
	bytes   int64 // that hold whole batches
	whole   int64 // records in these bytes
	lines   int64 // in these bytes
	last    int64 // where the last batch begins
	batches int64
	removal removal // of a file that was compacted
	kept    Tail    // how far its snapshot reaches in the file
}

// reader reads a file from its start.
type reader struct {
	ctx   context.Context
	path  string
	from  *bufio.Reader
	size  int64 // of the file
	visit func(Record) error
	s     *state
	sum   hash.Hash // of the lines of the version before
	body  []byte    // reused

	// In a compacted file, up to the end of its snapshot: what is still to come of
	// that, the record of the snapshot itself among it.
	partial bool
	missing int64
}

// read visits all records of a file of size bytes. cut is not nil when the file
// ends in a batch, or a line of the version before, that a crash has torn.
func read(ctx context.Context, path string, file io.ReaderAt, size int64, visit func(Record) error) (s *state, cut *Cut, err error) {
	r := &reader{
		ctx: ctx, path: path, from: bufio.NewReaderSize(io.NewSectionReader(file, 0, size), int(min(size, 1<<18))),
		size: size, visit: visit, s: &state{}, sum: sha256.New(),
	}
	for cut == nil && r.s.bytes < size {
		if cut, err = r.next(); err != nil {
			return nil, nil, err
		}
	}
	if r.partial { // it was whole when it got its name
		return nil, nil, r.damage(r.s.lines+1, errors.New("the file ends inside its snapshot"))
	}
	r.endOld()
	if r.s.head, err = r.s.tree.head(); err != nil {
		return nil, nil, err
	}
	return r.s, cut, nil
}

// next reads a line of the version before, or a batch.
func (r *reader) next() (*Cut, error) {
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	rest := r.size - r.s.bytes
	if r.s.batches == 0 {
		start, err := r.from.Peek(int(min(rest, int64(len(oldStart)))))
		if err != nil {
			return nil, r.failed(err)
		}
		if isOld(start) {
			return r.nextOld()
		}
		if r.s.bytes == 0 && rest >= removalBytes && bytes.HasPrefix([]byte(removalStart), start) {
			return nil, r.removed()
		}
	}
	r.endOld()
	if rest < headerBytes {
		return r.tail(nil, nil)
	}
	head := make([]byte, headerBytes)
	if _, err := io.ReadFull(r.from, head); err != nil {
		return nil, r.failed(err)
	}
	h, err := parseHeader(head)
	switch {
	case err != nil:
		return r.tail(head, err)
	case h.first != uint64(r.s.tree.size)+1:
		return nil, r.damage(r.s.lines+1, fmt.Errorf("a batch begins with record %d here: batches are missing, repeated or out of order", h.first))
	case h.bytes > rest-headerBytes:
		return r.tail(head, nil)
	}
	r.body = append(r.body[:0], make([]byte, h.bytes)...)
	if _, err := io.ReadFull(r.from, r.body); err != nil {
		return nil, r.failed(err)
	}
	if sha256.Sum256(r.body) != h.sum {
		return r.tail(append(head, r.body...), r.broken(h))
	}
	return nil, r.batch(h)
}

// batch takes in a batch whose bytes are those that were written.
func (r *reader) batch(h header) error {
	body, line := r.body, r.s.lines+1
	for range h.records {
		line++
		data, rest, found := bytes.Cut(body, []byte("\n"))
		if !found {
			return r.damage(line, errors.New("the batch ends before its records do"))
		}
		body = rest
		l, err := parse(data)
		if err == nil {
			err = r.follows(l)
		}
		if err != nil {
			return r.damage(line, err)
		}
		if err := r.record(line, l.record(), tlog.RecordHash(data)); err != nil {
			return err
		}
	}
	if end, found := bytes.CutSuffix(body, []byte("\n")); !found || !isMark(end, uint64(r.s.tree.size)) {
		return r.damage(line+1, errors.New("the batch has no commit mark where it should end"))
	}
	r.s.last = r.s.bytes
	r.s.bytes += headerBytes + h.bytes
	r.s.whole = r.s.tree.size
	r.s.lines = line + 1
	r.s.batches++
	if r.partial && r.missing == 0 {
		r.partial, r.s.kept = false, Tail{r.s.tree.size, r.s.bytes}
	}
	return nil
}

// follows reports in what a record does not follow the one before.
func (r *reader) follows(l line) error {
	switch {
	case l.Seq != uint64(r.s.tree.size)+1:
		return fmt.Errorf("record %d follows record %d", l.Seq, r.s.tree.size)
	case l.Prev != r.s.tree.last:
		return errors.New("it does not hold the hash of the record before")
	}
	return nil
}

// record takes in the record on a line, with its leaf hash.
func (r *reader) record(line int64, rec Record, leaf tlog.Hash) error {
	var err error
	switch {
	case r.partial:
		err = r.snapshot(rec)
	case r.s.old.SHA256 != "" && isOwn(rec.Kind):
		err = r.s.own.apply(rec, &r.s.old)
	default:
		err = r.visit(rec)
	}
	switch {
	case errors.Is(err, errChanged):
		return r.damage(line, err)
	case err != nil:
		return r.refuse(line, r.s.tree.size+1, err)
	}
	return r.s.tree.add(leaf)
}

// nextOld reads a line of the version before.
func (r *reader) nextOld() (*Cut, error) {
	data, err := r.from.ReadBytes('\n')
	if errors.Is(err, io.EOF) {
		if oldTorn(data, r.s.bytes) {
			return r.cut("the last line was never finished"), nil
		}
		return nil, r.damage(r.s.lines+1, errors.New("the last line does not end as a record does"))
	}
	if err != nil {
		return nil, r.failed(err)
	}
	data = bytes.TrimSuffix(data, []byte("\n"))
	rec, err := oldLine(data)
	if err == nil && rec.Seq != uint64(r.s.tree.size)+1 {
		err = fmt.Errorf("record %d follows record %d", rec.Seq, r.s.tree.size)
	}
	if err != nil {
		return nil, r.damage(r.s.lines+1, err)
	}
	if err := r.record(r.s.lines+1, rec, tlog.RecordHash(data)); err != nil {
		return nil, err
	}
	r.sum.Write(data)
	r.sum.Write([]byte("\n"))
	r.s.bytes += int64(len(data)) + 1
	r.s.whole = r.s.tree.size
	r.s.lines++
	return nil, nil
}

// endOld settles what the lines of the version before were. They end at the first
// batch, or with the file.
func (r *reader) endOld() {
	if r.s.old.SHA256 != "" {
		return
	}
	root, err := r.s.tree.root(r.s.tree.size)
	if err != nil {
		return // unreachable: a tree has its own root
	}
	r.s.old = old{Records: r.s.tree.size, Root: root, SHA256: hex.EncodeToString(r.sum.Sum(nil))}
}

// tail judges what follows the last batch that is whole. taken was read from it;
// wrong is what is wrong with it, if it does not just end early.
func (r *reader) tail(taken []byte, wrong error) (*Cut, error) {
	more, err := io.ReadAll(r.from)
	if err != nil {
		return nil, r.failed(err)
	}
	rest := append(taken, more...)
	if !r.partial && torn(rest, r.s.bytes, uint64(r.s.tree.size)+1) {
		if wrong != nil {
			return r.cut("a block of the last batch reads as zeros"), nil
		}
		return r.cut("the file ends inside the last batch"), nil
	}
	if wrong == nil {
		wrong = errHeader
	}
	var at *broken
	if errors.As(wrong, &at) {
		return nil, r.damageAt(at.line, at.record, wrong)
	}
	return nil, r.damage(r.s.lines+1, wrong)
}

// cut is the end of a file without what a crash has torn.
func (r *reader) cut(why string) *Cut {
	return &Cut{Path: r.path, Bytes: r.size - r.s.bytes, Offset: r.s.bytes, Record: r.s.tree.size + 1, Why: why}
}

func (r *reader) failed(err error) error { return fmt.Errorf("read journal %s: %w", r.path, err) }

// broken is a batch whose bytes are not those that were written.
type broken struct {
	line, record int64
	what         string
}

func (b *broken) Error() string { return b.what }

// broken finds, in a batch that does not match its checksum, the first record
// that is not what it was: the next one holds its hash.
func (r *reader) broken(h header) *broken {
	record, line, last := r.s.tree.size+1, r.s.lines+2, r.s.tree.last
	body := r.body
	for range h.records {
		data, rest, found := bytes.Cut(body, []byte("\n"))
		l, err := parse(data)
		switch {
		case !found || err != nil || l.Seq != uint64(record):
			return &broken{line, record, fmt.Sprintf("the batch of %d records from %d on does not match its checksum, and the record is not whole", h.records, h.first)}
		case l.Prev != last && record > r.s.tree.size+1:
			return &broken{line - 1, record - 1, fmt.Sprintf("the batch of %d records from %d on does not match its checksum, and the record is not the one that the next one follows", h.records, h.first)}
		}
		body, last = rest, tlog.RecordHash(data)
		record++
		line++
	}
	return &broken{line - 1, record - 1, fmt.Sprintf("the batch of %d records from %d on does not match its checksum: its last record or its commit mark is not what was written", h.records, h.first)}
}
