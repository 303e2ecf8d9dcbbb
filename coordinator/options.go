package coordinator

import (
	"crypto/rand"
	"encoding/hex"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/aggregation"
	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/internal/spool"
)

// Options are what a coordinator works with. Journal, Spool and Log are
// required; the coordinator owns none of them.
type Options struct {
	Journal journal.Store
	Spool   *spool.Spool
	Log     *zap.Logger
	// Custody signs and judges checkpoints of Journal; nil: there are none, as in
	// a simulation.
	Custody Custody
	// Evaluator measures published models; nil: nothing is measured.
	Evaluator Evaluator
	// Publisher makes versions visible outside; nil: they stay in the spool.
	Publisher Publisher
	// Results are what the Publisher leaves of runs outside; nil: nothing that
	// stands in the way of another run of the name.
	Results Results
	// Strategy gives a run's strategy; nil: aggregation.Preset by name.
	Strategy func(Definition) (aggregation.Strategy, error)
	// Observe is told each event once it is durable, with the state after
	// it. It is called in order, by one goroutine, and must be quick; nil:
	// nobody looks.
	Observe func(round.State, round.Event)
	// Away is how long a participant may be gone in mid-round before its task
	// counts as lost: it may still be answered, but is replaced or no longer
	// waited for. 0: DefaultAway.
	Away time.Duration
	// Grace is the same for all of them, after a restart or when all have gone
	// at once, and how long a round after the first waits for MinSites.
	Grace time.Duration
	// MaxRuns is how many runs go on at the same time; the others wait in the
	// order of their submission. 0: DefaultMaxRuns.
	MaxRuns int
	// Nonce ends the ids of the tasks of an attempt, so that an answer from
	// before an older copy of the journal was put back is to no task of today.
	// The loop calls it for each attempt. nil: 16 random hexadecimal digits.
	Nonce func() string
	// KeepBest keeps the version to hand out in the spool, also once its run has
	// ended. Without a Publisher it always stays there.
	KeepBest bool
	// KeepVersions keeps the model of every version in the spool.
	KeepVersions bool
}

// The defaults of Options. A participant whose stream breaks is back within
// DefaultAway when the network is; one that finds no coordinator tries less and
// less often, but is back within DefaultGrace after that has come up.
const (
	DefaultAway    = 3 * time.Second
	DefaultGrace   = 30 * time.Second
	DefaultMaxRuns = 4
)

// SmallArtefact is up to how many bytes a spool may leave it to the coordinator to
// make artefacts durable, together with the event that names them: see
// spool.Options.Later. Larger ones take longer than that is worth.
const SmallArtefact = 1 << 20

func (o Options) withDefaults() Options {
	if o.Strategy == nil {
		o.Strategy = func(d Definition) (aggregation.Strategy, error) {
			return aggregation.Preset(d.Strategy, d.ServerLR)
		}
	}
	if o.Away == 0 {
		o.Away = DefaultAway
	}
	if o.MaxRuns == 0 {
		o.MaxRuns = DefaultMaxRuns
	}
	if o.Nonce == nil {
		o.Nonce = randomNonce
	}
	return o
}

func randomNonce() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}
