package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/accord-fl/accord/internal/disk"
	"github.com/accord-fl/accord/internal/disk/disktest"
)

// frozen is what a caller's snapshot consists of in these tests.
func frozen(n int) []Record {
	var records []Record
	for i := range n {
		records = append(records, rec(0, fmt.Sprintf("state%d", i)))
	}
	return records
}

// addAtOnce appends n records of a kind in a batch.
func addAtOnce(t testing.TB, j *File, kind string, n int) {
	t.Helper()
	var batch []Record
	for range n {
		batch = append(batch, rec(uint64(j.Head().Size)+1+uint64(len(batch)), kind))
	}
	appendAll(t, j, batch)
}

func compact(t testing.TB, j *File, snapshot []Record) {
	t.Helper()
	done, err := j.Compact(t.Context(), uint64(j.Head().Size), snapshot)
	if err != nil || done.Head != uint64(j.Head().Size) || done.After != j.s.bytes {
		t.Fatalf("compact: %+v, head %d, %d bytes, error %v", done, j.Head().Size, j.s.bytes, err)
	}
}

// roots are those of all sizes.
func roots(t testing.TB, j *File) []tlog.Hash {
	t.Helper()
	var all []tlog.Hash
	for size := range j.Head().Size + 1 {
		root, err := j.RootAt(size)
		if err != nil {
			t.Fatalf("root at %d of %d: %v", size, j.Head().Size, err)
		}
		all = append(all, root)
	}
	return all
}

// checkRoots compares the roots of all sizes that were known with today's.
func checkRoots(t testing.TB, j *File, want []tlog.Hash) {
	t.Helper()
	if got := roots(t, j); !slices.Equal(got[:len(want)], want) {
		t.Fatal("an earlier size has another root")
	}
}

func kinds(records []Record) (kinds []string) {
	for _, r := range records {
		kinds = append(kinds, r.Kind)
	}
	return kinds
}

// A compaction changes what is read at a start, and nothing else: however often it
// is done and wherever in a tile, every earlier size has its root, in the process
// that compacts and after a restart, and the chain goes on.
func TestCompactionKeepsEveryRoot(t *testing.T) {
	f := founded(t, true)
	p := mustStart(t, f)
	var want []tlog.Hash
	for round, records := range []int{tileLeaves - 2, 1, 5, 3 * tileLeaves, 2*tileLeaves + 17} {
		addAtOnce(t, p.journal, "a", records)
		early := shown(t, p.journal)
		want = roots(t, p.journal)
		if round%2 == 1 { // beside which others append
			if err := p.journal.Prepare(t.Context()); err != nil {
				t.Fatal(err)
			}
			addAtOnce(t, p.journal, "a", tileLeaves+round)
		}
		compact(t, p.journal, frozen(3))
		checkRoots(t, p.journal, want)
		judge(t, p.journal, early, Consistent)
		add(t, p.journal, "after", 2)
		want = roots(t, p.journal)
		head, origin, incarnation := p.journal.Head(), p.journal.Origin(), p.journal.Incarnation()
		now := shown(t, p.journal)
		again := replay(t, p.journal)
		p.close(t)

		p = mustStart(t, f)
		checkRoots(t, p.journal, want)
		judge(t, p.journal, early, Consistent)
		judge(t, p.journal, now, Consistent)
		if p.journal.Head() != head || p.journal.Origin() != origin || p.journal.Incarnation() != incarnation {
			t.Fatalf("round %d: the journal is another after a restart", round)
		}
		got := replay(t, p.journal)
		if diff := cmp.Diff([]string{"state0", "state1", "state2", "after", "after"}, kinds(got)); diff != "" {
			t.Fatalf("round %d: visited (-want +got):\n%s", round, diff)
		}
		if diff := cmp.Diff(again, got); diff != "" || got[len(got)-1].Seq != uint64(head.Size) {
			t.Fatalf("round %d: the process that compacts reads something else (-want +got):\n%s", round, diff)
		}
		if held := int64(len(p.journal.s.tree.hashes)); held > 4*tileLeaves {
			t.Errorf("round %d: %d hashes are held of %d records", round, held, head.Size)
		}
	}
	p.close(t)
}

// What is left of a record is its hash, and a file that is short is not compacted
// over and over.
func TestCompactionFrees(t *testing.T) {
	f := founded(t, false)
	f.Tail = Tail{Records: 3000, Bytes: 1 << 30}
	p := mustStart(t, f)
	addAtOnce(t, p.journal, "a", 2998)
	if p.journal.Due() { // the first record counts, too
		t.Error("due after 2,999 records")
	}
	addAtOnce(t, p.journal, "a", 1)
	if !p.journal.Due() {
		t.Error("not due after 3,000 records")
	}
	compact(t, p.journal, frozen(10))
	info, err := os.Stat(f.path(JournalFile))
	if err != nil {
		t.Fatal(err)
	}
	const base64Bytes, lines, others = 43, 100, 10_000
	size := p.journal.Head().Size
	if limit := size*base64Bytes + size/tileLeaves*lines + others; info.Size() > limit || info.Size() != p.journal.s.bytes {
		t.Errorf("%d bytes of %d records, want at most %d", info.Size(), size, limit)
	}
	if p.journal.Due() {
		t.Error("due again at once")
	}
	p.close(t)

	// Neither is it due before as much was appended as has to be written again.
	f.Tail = Tail{Records: 1, Bytes: 1}
	p = mustStart(t, f)
	kept := p.journal.s.kept.Bytes
	for !p.journal.Due() {
		add(t, p.journal, "a", 1)
	}
	if got := p.journal.s.bytes; got < 2*kept || got > 2*kept+1000 {
		t.Errorf("due at %d bytes, %d of which were kept", got, kept)
	}
	p.close(t)
}

// compactedSample is a small compacted file: what a flip could change.
func compactedSample(t testing.TB) (data []byte, kept int64) {
	t.Helper()
	f := founded(t, false)
	p := mustStart(t, f)
	addAtOnce(t, p.journal, "a", tileLeaves+3)
	compact(t, p.journal, frozen(2))
	kept = p.journal.s.kept.Bytes
	appendAll(t, p.journal, []Record{rec(uint64(p.journal.Head().Size)+1, "b")})
	p.close(t)
	data, err := os.ReadFile(f.path(JournalFile))
	if err != nil {
		t.Fatal(err)
	}
	return data, kept
}

func TestEveryFlippedByteOfACompactedFileIsNoticed(t *testing.T) {
	data, kept := compactedSample(t)
	if _, cut, err := readBytes(data); cut != nil || err != nil {
		t.Fatal(cut, err)
	}
	for i, b := range data {
		all := flips(b)
		flipped := bytes.Clone(data)
		flipped[i] = all[i%len(all)]
		_, cut, err := readBytes(flipped)
		if cut != nil || !named(err) {
			t.Fatalf("byte %d of %d, %q to %q: cut %+v, error %v", i, len(data), b, flipped[i], cut, err)
		}
		if d := damageOf(err); d != nil && int64(i) < kept && d.keep != 0 {
			t.Fatalf("byte %d: %d bytes of a snapshot would be kept", i, d.keep)
		}
	}
}

// Lines of a compacted file that were dropped, doubled or exchanged are named.
func TestLinesOfACompactedFileThatWereMovedAreNoticed(t *testing.T) {
	data, kept := compactedSample(t)
	all := lines(data[:kept])
	tail := data[kept:]
	check := func(what string, at int, changed [][]byte) {
		t.Helper()
		if _, cut, err := readBytes(append(bytes.Join(changed, nil), tail...)); cut != nil || !named(err) {
			t.Errorf("line %d %s: cut %+v, error %v", at+1, what, cut, err)
		}
	}
	for i := range all {
		check("dropped", i, slices.Concat(all[:i], all[i+1:]))
		check("doubled", i, slices.Concat(all[:i+1], all[i:]))
		for other := range i {
			exchanged := slices.Clone(all)
			exchanged[i], exchanged[other] = all[other], all[i]
			check("exchanged", i, exchanged)
		}
	}
}

// A compacted file had its snapshot when it got its name, so no crash leaves less:
// a file that ends before that is damaged, one that ends behind it is cut.
func TestACompactedFileMayEndBehindItsSnapshotOnly(t *testing.T) {
	data, kept := compactedSample(t)
	for end := len(data) - 1; end > 2; end-- {
		s, cut, err := readBytes(data[:end])
		switch {
		case int64(end) < kept && (cut != nil || !named(err)):
			t.Fatalf("%d bytes, %d of a snapshot: cut %+v, error %v", end, kept, cut, err)
		case int64(end) > kept && (err != nil || cut == nil || s.bytes != kept):
			t.Fatalf("%d bytes, %d of them a snapshot: cut %+v, error %v", end, kept, cut, err)
		case int64(end) == kept && (err != nil || cut != nil):
			t.Fatalf("a snapshot alone: cut %+v, error %v", cut, err)
		}
	}
	for _, block := range []int64{0, removalBytes / blockBytes * blockBytes, (kept/blockBytes - 1) * blockBytes} {
		zeros := bytes.Clone(data[:kept])
		clear(zeros[block : block+blockBytes])
		if _, cut, err := readBytes(zeros); cut != nil || !named(err) {
			t.Errorf("a block of zeros at %d: cut %+v, error %v", block, cut, err)
		}
	}
}

// crowded is a folder with records, the roots of its journal, and what its journal
// visits.
func crowded(t testing.TB) (Folder, []tlog.Hash, []string) {
	t.Helper()
	f := founded(t, true)
	p := mustStart(t, f)
	addAtOnce(t, p.journal, "a", tileLeaves+10)
	compact(t, p.journal, frozen(1))
	addAtOnce(t, p.journal, "b", tileLeaves)
	addAtOnce(t, p.journal, "b", 1)
	all, visited := roots(t, p.journal), kinds(replay(t, p.journal))
	p.close(t)
	return f, all, visited
}

// Whichever call to the disk fails during a compaction, and however many after
// it, the process goes on with the former journal or the new one; so does one
// that is killed there, and nothing is acknowledged that a power cut could undo.
func TestACompactionMayFailAnywhere(t *testing.T) {
	f, before, visited := crowded(t)
	files := snapshot(t, f.Dir)
	newer := []string{"state0", "state1"}
	run := func(t *testing.T, from, n int, ahead bool) (calls int) {
		put(t, f.Dir, files)
		faulty := disktest.New()
		f := f
		f.Disk = faulty
		p := mustStart(t, f)
		opened, _ := faulty.Calls()
		faulty.Fail(opened+from, n)
		head := uint64(p.journal.Head().Size)
		var err error
		if ahead {
			err = p.journal.Prepare(t.Context())
		}
		if err == nil {
			_, err = p.journal.Compact(t.Context(), head, frozen(2))
		}
		if err != nil && !disk.Passing(err) {
			t.Fatalf("got error %v, want one that passes", err)
		}
		now, log := faulty.Calls()
		calls = now - opened
		compacted := uint64(p.journal.Head().Size) != head
		if err == nil != compacted {
			t.Fatalf("error %v, and the head moved %v: %v", err, compacted, log[opened:])
		}
		checkKilled(t, f, before, visited, newer)

		// The process itself goes on, whether the disk does at once or later.
		at := p.journal.Head().Size
		for attempt := 0; ; attempt++ {
			err := p.journal.Append(t.Context(), uint64(at), []Record{rec(uint64(at)+1, "c")})
			if err == nil {
				break
			}
			if !disk.Passing(err) || attempt > n {
				t.Fatalf("append: attempt %d: %v", attempt, err)
			}
		}
		checkRoots(t, p.journal, before)
		if p.journal.unnamed {
			t.Fatal("acknowledged before the new file's name was durable")
		}
		want := append(slices.Clone(visited), "c")
		if compacted {
			want = append(slices.Clone(newer), "c")
		}
		if diff := cmp.Diff(want, kinds(replay(t, p.journal))); diff != "" {
			t.Fatalf("visited (-want +got):\n%s", diff)
		}
		if _, err := os.Stat(f.path(JournalFile) + nextFile); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the file that did not get its name is left: %v", err)
		}
		compact(t, p.journal, frozen(2))
		checkRoots(t, p.journal, before)
		p.close(t)
		return calls
	}
	for _, ahead := range []bool{false, true} {
		calls := run(t, 0, 0, ahead)
		if calls < 6 { // open, write, the first line, fsync, rename, open, folder
			t.Fatalf("a compaction has %d calls", calls)
		}
		for from := 1; from <= calls; from++ {
			for _, n := range []int{1, 2, 100} {
				t.Run(fmt.Sprintf("%d calls from %d, prepared %v", n, from, ahead), func(t *testing.T) { run(t, from, n, ahead) })
			}
		}
	}
}

// checkKilled starts from a copy of the folder, as after a kill: it has the former
// journal or the new one.
func checkKilled(t *testing.T, f Folder, before []tlog.Hash, visited, newer []string) {
	t.Helper()
	copied := Folder{Dir: t.TempDir(), Registry: true}
	put(t, copied.Dir, snapshot(t, f.Dir))
	p := mustStart(t, copied)
	defer p.close(t)
	checkRoots(t, p.journal, before)
	if got := kinds(replay(t, p.journal)); !slices.Equal(got, visited) && !slices.Equal(got, newer) {
		t.Fatalf("after a kill %v is visited, want %v or %v", got, visited, newer)
	}
	if _, err := os.Stat(copied.path(JournalFile) + nextFile); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what the kill has left is there: %v", err)
	}
}

// A kill may also leave any part of the file that has not got its name.
func TestAPartOfACompactedFileIsRemoved(t *testing.T) {
	f, before, visited := crowded(t)
	next := f.path(JournalFile) + nextFile
	for _, part := range []string{"", removalStart, "\x00\x00"} {
		if err := os.WriteFile(next, []byte(part), 0o600); err != nil {
			t.Fatal(err)
		}
		checkKilled(t, f, before, visited, visited)
	}
}

// A flipped bit in the hashes while a process runs is an error, not another root.
func TestHashesAreCheckedWhenTheyAreRead(t *testing.T) {
	f, _, _ := crowded(t)
	p := mustStart(t, f)
	defer p.close(t)
	msg := shown(t, p.journal)
	file, err := os.OpenFile(f.path(JournalFile), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteAt([]byte("#"), removalBytes+100); err != nil {
		t.Fatal(err)
	}
	if _, err := p.journal.RootAt(3); err == nil {
		t.Error("a root of hashes that were changed")
	}
	if _, err := p.journal.RootAt(tileLeaves); err != nil {
		t.Errorf("the root of a tile, which is in memory: %v", err)
	}
	judge(t, p.journal, msg, Consistent)
	if _, err := p.journal.Compact(t.Context(), uint64(p.journal.Head().Size), nil); err == nil {
		t.Error("hashes that were changed are written again")
	}
	add(t, p.journal, "the former file goes on", 1)
}

// Heads of every size before and after compactions, and a restore of a copy from
// before them, mean what they do without compactions.
func TestACopyFromBeforeACompaction(t *testing.T) {
	f := founded(t, false)
	p := mustStart(t, f)
	var common, later [][]byte
	for range 20 {
		add(t, p.journal, "a", 1)
		common = append(common, shown(t, p.journal))
	}
	copied := snapshot(t, f.Dir)
	for range 3 {
		add(t, p.journal, "b", 2)
		later = append(later, shown(t, p.journal))
		compact(t, p.journal, frozen(2))
		later = append(later, shown(t, p.journal))
	}
	for _, msg := range slices.Concat(common, later) {
		judge(t, p.journal, msg, Consistent)
	}
	p.close(t)

	put(t, f.Dir, copied)
	p = mustStart(t, f)
	for _, msg := range common {
		judge(t, p.journal, msg, Consistent)
	}
	for _, msg := range later {
		judge(t, p.journal, msg, Later)
	}
	recordContest(t, p.journal, later[0])
	compact(t, p.journal, frozen(2)) // what was contested is in the snapshot
	p.close(t)
	p = mustStart(t, f)
	if c, contested := p.journal.Contested(); !contested || c.Head.Size != 23 {
		t.Errorf("contested %v by %+v after a compaction", contested, c)
	}
	p.close(t)

	r := restored(t, f, Restoring{})
	p = mustStart(t, f)
	add(t, p.journal, "another life", 50)
	compact(t, p.journal, frozen(2)) // and so is the fork
	p.close(t)
	p = mustStart(t, f)
	defer p.close(t)
	if p.journal.Incarnation() != r.Incarnation {
		t.Errorf("incarnation %s, want %s", p.journal.Incarnation(), r.Incarnation)
	}
	for _, msg := range common {
		judge(t, p.journal, msg, Consistent)
	}
	for _, msg := range later {
		judge(t, p.journal, msg, Lost)
	}
}

// Damage behind a snapshot can be given up, damage in it cannot.
func TestCutACompactedFile(t *testing.T) {
	f, before, visited := crowded(t)
	files := snapshot(t, f.Dir)
	p := mustStart(t, f)
	kept, last := p.journal.s.kept, p.journal.s.last
	p.close(t)
	for _, at := range []int64{removalBytes + 50, kept.Bytes - 50, last + headerBytes + 10} {
		data := []byte(files[JournalFile])
		data[at] ^= 1
		put(t, f.Dir, files)
		if err := os.WriteFile(f.path(JournalFile), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := start(t, f, false, nobody); damageOf(err) == nil {
			t.Fatalf("byte %d: got error %v, want damage", at, err)
		}
		_, err := f.Restore(t.Context(), Restoring{Cut: true})
		if inSnapshot := at < kept.Bytes; inSnapshot != (err != nil) {
			t.Fatalf("byte %d of %d: restored with error %v", at, kept.Bytes, err)
		} else if inSnapshot {
			continue
		}
		p := mustStart(t, f)
		checkRoots(t, p.journal, before[:len(before)-1])
		if got := kinds(replay(t, p.journal)); !slices.Equal(got, visited[:len(visited)-1]) {
			t.Errorf("visited %v", got)
		}
		p.close(t)
	}
}

// The lines of the version before leave their hashes, too.
func TestAnUpgradedFileIsCompacted(t *testing.T) {
	f := before(t)
	p := mustStart(t, f)
	want, early := roots(t, p.journal), shown(t, p.journal)
	compact(t, p.journal, frozen(1))
	registry := p.journal.s.own.registry
	p.close(t)
	p = mustStart(t, f)
	defer p.close(t)
	checkRoots(t, p.journal, want)
	judge(t, p.journal, early, Consistent)
	if got := kinds(replay(t, p.journal)); !slices.Equal(got, []string{"state0"}) || *p.journal.s.own.registry != *registry || !p.journal.s.own.upgraded {
		t.Errorf("visited %v, registry %+v, want %+v", got, p.journal.s.own.registry, registry)
	}
}

func TestCompactRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if _, err := j.Compact(t.Context(), 0, nil); err == nil {
		t.Error("before a replay")
	}
	replay(t, j)
	if done, err := j.Compact(t.Context(), 0, frozen(1)); done != (Compaction{}) || err != nil {
		t.Errorf("a file without records: %+v, error %v", done, err)
	}
	add(t, j, "a", 3)
	if _, err := j.Compact(t.Context(), 2, nil); !errors.Is(err, ErrConflict) {
		t.Errorf("at another head: got error %v, want %v", err, ErrConflict)
	}
	if _, err := j.Compact(t.Context(), 3, []Record{rec(0, kindForked)}); err == nil {
		t.Error("with an own record in the snapshot")
	}
	if j.Due() {
		t.Error("due without a limit")
	}
	add(t, j, "b", 1)
	compact(t, j, nil)
	add(t, j, "c", 1)
	if got := kinds(replay(t, j)); !slices.Equal(got, []string{"c"}) {
		t.Errorf("visited %v", got)
	}
}
