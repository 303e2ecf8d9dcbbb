package rpc_test

import (
	"context"
	"flag"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc/test/bufconn"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/rpc"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/wire/wiretest"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/participant"
	"github.com/accord-fl/accord/participant/trainer"
)

const transcripts = "../../internal/wire/wiretest/testdata"

var record = flag.String("record", "", "write today's conversation to a new file of this name beside the other transcripts")

// Today's server still understands every conversation that was recorded.
func TestServerUnderstandsOlderParticipants(t *testing.T) {
	files, err := filepath.Glob(transcripts + "/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				said, err := wiretest.Load(file)
				if err != nil {
					t.Fatal(err)
				}
				n := startWith(t, t.TempDir(), asRecorded, plainIDs)
				submit(t, n, 2, 1)
				if err := said.PlayClient(t.Context(), dialServer(t, n.server), func(string) { stopRun(t, n) }); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// asRecorded sets what may be chosen otherwise today.
func asRecorded(o *rpc.Options) { o.Lease = 30 * time.Second }

// plainIDs leaves the ids of tasks as they were recorded, without a random end.
func plainIDs(o *coordinator.Options) { o.Nonce = func() string { return "" } }

func stopRun(t *testing.T, n *node) {
	t.Helper()
	if err := n.Stop(t.Context(), "run", "enough"); err != nil {
		t.Error(err)
	}
}

// onceSlowly trains for 15 seconds, and another time until it is stopped.
type onceSlowly struct{ trained bool }

func (o *onceSlowly) Train(ctx context.Context, t exchange.Task, global *model.File, done func(model.Vector) error) (trainer.Result, error) {
	if o.trained {
		<-ctx.Done()
		return trainer.Result{}, ctx.Err()
	}
	o.trained = true
	time.Sleep(15 * time.Second) // long enough for a renewal
	return adding(1).Train(ctx, t, global, done)
}

// TestRecordConversation writes a new transcript. The script of the older ones
// must stay as it is, or they do not fit it any more.
func TestRecordConversation(t *testing.T) {
	if *record == "" {
		t.Skip("nothing to record without -record FILE")
	}
	synctest.Test(t, func(t *testing.T) {
		n := startWith(t, t.TempDir(), asRecorded, plainIDs)
		submit(t, n, 2, 1)
		recorder, between := wiretest.NewRecorder(dialServer(t, n.server))
		listener := bufconn.Listen(1 << 16)
		var serving sync.WaitGroup
		serving.Go(func() { _ = between.Serve(listener) }) // until it is stopped
		o := participant.DefaultOptions()
		o.Name, o.Coordinator, o.Insecure, o.Dir = "athens", "127.0.0.1:7443", true, t.TempDir()
		o.Dial = func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }
		o.Capabilities = exchange.Capabilities{Trainer: "builtin", Cores: 4, Memory: 8 << 30, SamplesPerSecond: 1500, Datasets: []string{"digits"}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- participant.Run(ctx, o, &onceSlowly{}, zap.NewNop()) }()
		time.Sleep(18 * time.Second) // into the second round
		recorder.Act("the run is stopped")
		stopRun(t, n)
		time.Sleep(time.Second)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		between.Stop()
		serving.Wait()
		comment := `A participant's conversation with a coordinator: what was said when, what that
means, and its bytes, hexadecimal. > is to the coordinator, < from it, ! is done
beside it. The participant trains in one round; in the next, the run is stopped.
This file stays as it is, whatever becomes of the wire.`
		if err := recorder.Transcript().Save(filepath.Join(transcripts, *record), comment); err != nil {
			t.Fatal(err)
		}
	})
}
