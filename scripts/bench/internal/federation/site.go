package federation

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sync/errgroup"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/heap"
	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/rng"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/participant"
	"github.com/accord-fl/accord/participant/trainer"
)

// Verb is the measuring program's first argument when it is called as a site;
// the second describes that.
const Verb = "site"

// site is a participant that trains nothing.
type site struct {
	Token   string        `json:"token"` // "": many, those in Dir's tokensFile
	Dir     string        `json:"dir"`
	Takes   time.Duration `json:"takes"`
	Perturb bool          `json:"perturb"` // change each weight
}

var _ participant.Trainer = site{}

// tokensFile lies in the folder of many sites, a token a line.
const tokensFile = "tokens"

// Attend is a site, or many, described by Verb's argument, until ctx ends.
func Attend(ctx context.Context, document string) error {
	var s site
	if err := json.Unmarshal([]byte(document), &s); err != nil {
		return err
	}
	encoder := zapcore.NewJSONEncoder(zapcore.EncoderConfig{
		TimeKey: "time", EncodeTime: zapcore.RFC3339NanoTimeEncoder, MessageKey: "event", EncodeDuration: zapcore.StringDurationEncoder,
	})
	log := zap.New(zapcore.NewCore(encoder, zapcore.Lock(os.Stderr), zap.InfoLevel))
	if s.Token != "" {
		heap.SetFloor(heap.Small) // as a participant does
		return s.attend(ctx, log, func(join func() error) error { return join() })
	}
	data, err := os.ReadFile(filepath.Join(s.Dir, tokensFile))
	if err != nil {
		return err
	}
	// What is measured is the coordinator, on the same processors.
	debug.SetGCPercent(400)
	g, ctx := errgroup.WithContext(ctx)
	places := make(chan struct{}, 32) // so many join at a time
	for i, token := range strings.Fields(string(data)) {
		one := s
		one.Token, one.Dir = token, filepath.Join(s.Dir, strconv.Itoa(i))
		g.Go(func() error {
			return one.attend(ctx, log, func(join func() error) error {
				places <- struct{}{}
				defer func() { <-places }()
				return join()
			})
		})
	}
	return g.Wait()
}

// attend joins, by turns, and takes part.
func (s site) attend(ctx context.Context, log *zap.Logger, turn func(join func() error) error) error {
	token, err := pki.ParseToken(s.Token)
	if err != nil {
		return err
	}
	o := participant.DefaultOptions()
	o.Name, o.Coordinator, o.Dir = token.Site, token.Coordinator, filepath.Join(s.Dir, "state")
	identity := filepath.Join(s.Dir, "identity")
	if _, err := os.Stat(identity); errors.Is(err, fs.ErrNotExist) {
		if err := turn(func() error { return participant.Join(ctx, token, identity) }); err != nil {
			return err
		}
	}
	if o.Credential, err = pki.OpenCredential(identity); err != nil {
		return err
	}
	return participant.Run(ctx, o, s, log)
}

// Train implements participant.Trainer: after a time it has moved one weight, or
// each, a little, another way for each task.
func (s site) Train(ctx context.Context, t exchange.Task, global *model.File, done func(model.Vector) error) (trainer.Result, error) {
	if s.Takes > 0 {
		select {
		case <-time.After(s.Takes):
		case <-ctx.Done():
			return trainer.Result{}, ctx.Err()
		}
	}
	if s.Perturb {
		return trainer.Result{Samples: 1, Steps: 1}, done(&perturbed{of: global, by: Noise(rng.New(t.Seed, t.ID).Uint32())})
	}
	return trainer.Result{Samples: 1, Steps: 1}, done(nudged{of: global, by: 1e-6 * rng.New(t.Seed, t.ID).Float32()})
}
