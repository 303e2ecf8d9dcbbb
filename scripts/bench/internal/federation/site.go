package federation

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/heap"
	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/participant"
	"github.com/accord-fl/accord/participant/trainer"
	"github.com/accord-fl/accord/scripts/bench/internal/crowd"
)

// Verb is the measuring program's first argument when it is called as a site;
// the second describes that.
const Verb = "site"

// site is a participant that trains nothing, or, without a token, a crowd.
type site struct {
	Token   string        `json:"token"` // "": a crowd, with those in Dir's tokensFile
	Dir     string        `json:"dir"`
	Takes   time.Duration `json:"takes"`   // not a crowd's, which only speaks the wire
	Perturb bool          `json:"perturb"` // change each weight; not a crowd's
}

var _ participant.Trainer = site{}

// tokensFile lies in the folder of a crowd, a token a line.
const tokensFile = "tokens"

// Attend is a site, or a crowd, described by Verb's argument, until ctx ends.
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
		return s.attend(ctx, log)
	}
	return s.attendTogether(ctx, log)
}

// attendTogether is a crowd: sites that only speak the wire.
func (s site) attendTogether(ctx context.Context, log *zap.Logger) error {
	data, err := os.ReadFile(filepath.Join(s.Dir, tokensFile))
	if err != nil {
		return err
	}
	var tokens []pki.Token
	for line := range strings.FieldsSeq(string(data)) {
		token, err := pki.ParseToken(line)
		if err != nil {
			return err
		}
		tokens = append(tokens, token)
	}
	// What is measured is the coordinator, on the same processors.
	debug.SetGCPercent(400)
	return crowd.Attend(ctx, s.Dir, tokens, log)
}

// attend joins and takes part.
func (s site) attend(ctx context.Context, log *zap.Logger) error {
	token, err := pki.ParseToken(s.Token)
	if err != nil {
		return err
	}
	o := participant.DefaultOptions()
	o.Name, o.Coordinator, o.Dir = token.Site, token.Coordinator, filepath.Join(s.Dir, "state")
	identity := filepath.Join(s.Dir, "identity")
	if _, err := os.Stat(identity); errors.Is(err, fs.ErrNotExist) {
		if _, err := participant.Join(ctx, token, identity); err != nil {
			return err
		}
	}
	if o.Credential, err = pki.OpenCredential(identity); err != nil {
		return err
	}
	return participant.Run(ctx, o, s, log)
}

// Train implements participant.Trainer: after a time it has moved one weight, or
// each, a little, another way for each site and round.
func (s site) Train(ctx context.Context, t exchange.Task, global *model.File, done func(model.Vector) error) (trainer.Result, error) {
	if s.Takes > 0 {
		select {
		case <-time.After(s.Takes):
		case <-ctx.Done():
			return trainer.Result{}, ctx.Err()
		}
	}
	if s.Perturb {
		return trainer.Result{Samples: 1, Steps: 1}, done(&perturbed{of: global, by: Noise(t.Rand().Uint32())})
	}
	// Far enough that no two updates are equal, which the coordinator stores once:
	// a weight of a tenth is rounded to 7e-9.
	return trainer.Result{Samples: 1, Steps: 1}, done(nudged{of: global, by: 1e-2 * t.Rand().Float32()})
}
