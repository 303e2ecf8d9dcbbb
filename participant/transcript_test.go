package participant_test

import (
	"context"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc/test/bufconn"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/wire/wiretest"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/participant"
	"github.com/accord-fl/accord/participant/trainer"
)

// onceSlowly adds 1 to every weight in 15 seconds, and another time trains
// until it is stopped.
type onceSlowly struct{ trained bool }

func (o *onceSlowly) Train(ctx context.Context, _ exchange.Task, global *model.File, done func(model.Vector) error) (trainer.Result, error) {
	if o.trained {
		<-ctx.Done()
		return trainer.Result{}, ctx.Err()
	}
	o.trained = true
	time.Sleep(15 * time.Second)
	p, err := global.Params()
	if err != nil {
		return trainer.Result{}, err
	}
	for i := range p.Flat() {
		p.Flat()[i]++
	}
	return trainer.Result{Samples: 1, Steps: 1}, done(p)
}

// Today's participant still understands every coordinator that was recorded.
func TestParticipantUnderstandsOlderCoordinators(t *testing.T) {
	files, err := filepath.Glob("../internal/wire/wiretest/testdata/*.txt")
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
				player, server := said.PlayServer()
				listener := bufconn.Listen(1 << 16)
				var serving sync.WaitGroup
				serving.Go(func() { _ = server.Serve(listener) }) // until it is stopped
				defer serving.Wait()
				defer server.Stop()
				o := participant.DefaultOptions()
				o.Name, o.Coordinator, o.Insecure, o.Dir = "athens", "127.0.0.1:7443", true, t.TempDir()
				o.Dial = func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }
				o.Capabilities = exchange.Capabilities{Trainer: "builtin", Cores: 4, Memory: 8 << 30, SamplesPerSecond: 1500, Datasets: []string{"digits"}}
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- participant.Run(ctx, o, &onceSlowly{}, zap.NewNop()) }()
				time.Sleep(said[len(said)-1].At)
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
				synctest.Wait()
				if err := player.Finish(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
