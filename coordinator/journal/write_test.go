package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/accord-fl/accord/internal/disk"
	"github.com/accord-fl/accord/internal/disk/disktest"
)

// Whichever call to the disk fails, and however often, the same Append succeeds
// once the disk does; a batch that no attempt has acknowledged may be given up for
// another; and what was acknowledged is read back.
func TestAnyCallToTheDiskMayFail(t *testing.T) {
	const failures = 3
	run := func(t *testing.T, faulty *disktest.Faulty, other bool) {
		path := filepath.Join(t.TempDir(), "j")
		j, err := Open(path, Options{Disk: faulty})
		for err != nil {
			if !disk.Passing(err) || !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("open: got error %v, want one that passes", err)
			}
			j, err = Open(path, Options{Disk: faulty})
		}
		defer j.Close()
		for _, err := j.Replay(t.Context(), ignore); err != nil; _, err = j.Replay(t.Context(), ignore) {
			if !disk.Passing(err) {
				t.Fatalf("replay: got error %v, want one that passes", err)
			}
		}
		want := []Record{rec(1, "a"), long(2), rec(3, "c")}
		for _, batch := range [][]Record{want[:2], want[2:]} {
			for attempt := 0; ; attempt++ {
				try := batch
				if other && attempt == 0 {
					try = []Record{rec(batch[0].Seq, "never acknowledged"), long(batch[0].Seq + 1), long(batch[0].Seq + 2)}
				}
				err := j.Append(t.Context(), batch[0].Seq-1, try)
				if err == nil {
					if other && attempt == 0 {
						return // it was acknowledged, and this failure was another's
					}
					break
				}
				if !disk.Passing(err) {
					t.Fatalf("append: got error %v, want one that passes", err)
				}
			}
		}
		head := j.Head()
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		again := mustOpen(t, path)
		defer again.Close()
		if diff := cmp.Diff(want, replay(t, again)); diff != "" || again.Head() != head || again.Torn() != nil {
			t.Errorf("records differ (-want +got):\n%s, head %+v, want %+v, cut %+v", diff, again.Head(), head, again.Torn())
		}
	}
	counting := disktest.New()
	run(t, counting, false)
	calls, log := counting.Calls()
	if calls < 7 { // open, folder, fsync, twice write and fsync
		t.Fatalf("%d calls: %v", calls, log)
	}
	for call := 1; call <= calls; call++ {
		for n := 1; n <= failures; n++ {
			for _, other := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d calls from %d, other %v", n, call, other), func(t *testing.T) {
					faulty := disktest.New()
					faulty.Fail(call, n)
					run(t, faulty, other)
				})
			}
		}
	}
}

// A failed append is not there after a crash, or it is all there: never in part.
func TestAFailedAppendIsAllOrNothingAfterACrash(t *testing.T) {
	for call := 1; call <= 2; call++ { // the write, the fsync
		path := filepath.Join(t.TempDir(), "j")
		faulty := disktest.New()
		j, err := Open(path, Options{Disk: faulty})
		if err != nil {
			t.Fatal(err)
		}
		replay(t, j)
		appendAll(t, j, []Record{rec(1, "a")})
		before, _ := faulty.Calls()
		faulty.Fail(before+call, 1)
		if err := j.Append(t.Context(), 1, []Record{long(2), rec(3, "b")}); !disk.Passing(err) {
			t.Fatalf("got error %v, want one that passes", err)
		}
		if err := j.Close(); err != nil { // as a crash does: nothing is written
			t.Fatal(err)
		}
		again := mustOpen(t, path)
		if got := len(replay(t, again)); got != 1 && got != 3 {
			t.Errorf("call %d: %d records, want 1 or 3", call, got)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// What a process before has written and could not make durable is written again
// at the start: an fsync alone proves nothing.
func TestTheLastBatchIsWrittenAgainAtTheStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j := mustOpen(t, path)
	appendAll(t, j, []Record{rec(1, "a")}, []Record{long(2)})
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	counting := disktest.New()
	j, err = Open(path, Options{Disk: counting})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	replay(t, j)
	_, log := counting.Calls()
	if want := []string{"open " + path, "syncdir " + filepath.Dir(path), "write " + path, "fsync " + path}; !cmp.Equal(want, log) {
		t.Errorf("calls: got %v, want %v", log, want)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("the file has changed, error %v", err)
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, records := range []int{1, 16} {
		b.Run(fmt.Sprint(records), func(b *testing.B) {
			j := mustOpen(b, filepath.Join(b.TempDir(), "j"))
			defer j.Close()
			batch := make([]Record, records)
			for n := uint64(0); b.Loop(); n += uint64(records) {
				for i := range batch {
					batch[i] = rec(n+1+uint64(i), "answered")
				}
				if err := j.Append(b.Context(), n, batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkReplay(b *testing.B) {
	const records = 100_000
	path := filepath.Join(b.TempDir(), "j")
	j := mustOpen(b, path)
	batch := make([]Record, 1000)
	for n := uint64(0); n < records; n += uint64(len(batch)) {
		for i := range batch {
			batch[i] = rec(n+1+uint64(i), "answered")
		}
		if err := j.Append(b.Context(), n, batch); err != nil {
			b.Fatal(err)
		}
	}
	defer j.Close()
	for b.Loop() {
		if _, err := j.Replay(b.Context(), ignore); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/records*1e9, "ns/record")
}
