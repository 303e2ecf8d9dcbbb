package coordinator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/checkpoint"
	"github.com/accord-fl/accord/internal/spool"
)

// kept is a coordinator whose journal signs checkpoints.
type kept struct {
	*Coordinator
	file  *journal.File
	logs  *observer.ObservedLogs
	close func()
}

func startKept(t *testing.T, dir string) *kept {
	t.Helper()
	file, _, err := journal.Folder{Dir: dir}.Open(true, func() (string, error) { return "", nil })
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := spool.Open(filepath.Join(dir, "spool"), spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.InfoLevel)
	c, err := New(t.Context(), Options{Journal: file, Custody: file, Spool: blobs, Log: zap.New(core)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	k := &kept{Coordinator: c, file: file, logs: logs, close: sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-ended, file.Close()); err != nil {
			t.Error(err)
		}
	})}
	t.Cleanup(k.close)
	return k
}

// bearer is a participant that shows a checkpoint.
type bearer struct {
	process
	name  string
	shown []byte
}

func (b *bearer) Name() string { return b.name }

func (b *bearer) Hello() exchange.Hello { return exchange.Hello{Name: b.name, Checkpoint: b.shown} }

func (k *kept) signed(t *testing.T) []byte {
	t.Helper()
	signed, verifier := k.Checkpoint()
	if _, err := checkpoint.Open(signed, verifier); err != nil {
		t.Fatal(err)
	}
	return signed
}

const notOurs = "a site's checkpoint is not one of this journal"

// Whatever sites bring that the journal's key has not signed stops nothing, and
// fills no log.
func TestForgedCheckpointsStopNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := startKept(t, t.TempDir())
		other := startKept(t, t.TempDir())
		own := k.signed(t)
		forger, err := checkpoint.NewKey(k.file.Origin())
		if err != nil {
			t.Fatal(err)
		}
		forged, err := forger.Sign(checkpoint.Checkpoint{Origin: k.file.Origin(), Head: checkpoint.Head{Size: 1 << 40}, Incarnation: k.file.Incarnation()})
		if err != nil {
			t.Fatal(err)
		}
		garbage := [][]byte{[]byte("garbage"), forged, other.signed(t), bytes.Replace(own, []byte("\n1\n"), []byte("\n9\n"), 1), own[:len(own)/2]}
		before := k.file.Head()
		const sites = 10000
		for i := range sites {
			b := &bearer{name: fmt.Sprintf("s%d", i), shown: garbage[i%len(garbage)]}
			detach, err := k.Admit(b, "here")
			if err != nil {
				t.Fatal(err)
			}
			detach()
		}
		synctest.Wait()
		if why := k.Held(); why != "" {
			t.Errorf("forged checkpoints have stopped the coordinator: %s", why)
		}
		if after := k.file.Head(); after != before {
			t.Errorf("the journal has %d records after %d", after.Size, before.Size)
		}
		if n := k.logs.FilterMessage(notOurs).Len(); n == 0 || n > maxRemarks {
			t.Errorf("%d lines about %d sites, want some and at most %d", n, sites, maxRemarks)
		}
		time.Sleep(time.Minute)
		if _, err := k.Admit(&bearer{name: "late", shown: forged}, "here"); err != nil {
			t.Fatal(err)
		}
		if n := k.logs.FilterMessage(notOurs).Len(); n != maxRemarks+1 {
			t.Errorf("%d lines after another minute, want one more than %d", n, maxRemarks)
		}
	})
}

// However many sites show what the journal lacks, it is recorded once and said
// once, and a restart knows it.
func TestWhatTheJournalLacksIsRecordedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		k := startKept(t, dir)
		key := keyIn(t, dir)
		ahead := func(size int64) []byte {
			signed, err := key.Sign(checkpoint.Checkpoint{Origin: k.file.Origin(), Head: checkpoint.Head{Size: size}, Incarnation: k.file.Incarnation()})
			if err != nil {
				t.Fatal(err)
			}
			return signed
		}
		before := k.file.Head().Size
		var sites sync.WaitGroup
		for i := range 500 {
			sites.Go(func() { k.Attach(&bearer{name: fmt.Sprintf("s%d", i), shown: ahead(1000)}) })
		}
		sites.Wait()
		synctest.Wait()
		if why := k.Held(); why == "" {
			t.Error("it goes on")
		}
		if after := k.file.Head().Size; after != before+1 {
			t.Errorf("the journal has %d records after %d, want one more", after, before)
		}
		if n := k.logs.FilterMessage(stopsOffering).Len(); n != 1 {
			t.Errorf("it is said %d times", n)
		}
		k.close()
		again := startKept(t, dir)
		if again.Held() == "" || again.logs.FilterMessage(stopsOffering).Len() != 1 {
			t.Error("a restart has forgotten it")
		}
	})
}

func keyIn(t *testing.T, dir string) *checkpoint.Key {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, journal.KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	key, err := checkpoint.ParseKey(data)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
