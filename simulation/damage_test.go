package simulation

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/internal/fault"
)

// An artefact that is damaged while a simulation runs is made again, or named
// where that is not possible; the model is the same.
func TestDamagedArtefacts(t *testing.T) {
	want := run(t, options(t, 3)).Version.Model
	for name, tt := range map[string]struct {
		when       func(round.State, round.Event) (digest string)
		repairable bool
	}{
		"the first model": {func(s round.State, e round.Event) string {
			if _, ok := e.(round.Submitted); ok {
				return s.Model
			}
			return ""
		}, true},
		"an update": {func(s round.State, e round.Event) string {
			if a, ok := e.(round.Answered); ok && s.Round == 2 {
				return a.Digest
			}
			return ""
		}, true},
		"a version on its way out": {func(s round.State, e round.Event) string {
			if a, ok := e.(round.Aggregated); ok && s.Release.Round == 2 {
				return a.Model
			}
			return ""
		}, true},
		"a model without a copy": {func(s round.State, e round.Event) string {
			if p, ok := e.(round.Published); ok && p.Round == 2 {
				return p.Model
			}
			return ""
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, 3)
			var hit string
			o.Observe = func(s round.State, e round.Event) {
				if digest := tt.when(s, e); digest != "" && hit == "" {
					hit = digest
					path := filepath.Join(o.Dir, "spool", digest)
					data, err := os.ReadFile(path)
					if err == nil {
						data[len(data)-3] ^= 1
						err = os.WriteFile(path, data, 0o600)
					}
					if err != nil {
						t.Error(err)
					}
				}
			}
			r, err := Run(t.Context(), o)
			switch {
			case hit == "":
				t.Error("nothing was damaged")
			case err == nil && r.Version.Model != want:
				t.Errorf("got model %.12s, want %.12s", r.Version.Model, want)
			case err != nil && (tt.repairable || !strings.Contains(err.Error(), hit)):
				t.Errorf("got error %v, artefact %s was damaged", err, hit)
			}
		})
	}
}

// A training whose numbers are not finite ends the run as diverged.
func TestDivergedIsAClass(t *testing.T) {
	o := options(t, 2)
	o.Definition.Plan.Optimizer.LR = 1e30
	r, err := Run(t.Context(), o)
	if !errors.Is(err, fault.Diverged) || r.State.Phase != round.Diverged {
		t.Errorf("got %s and error %v, want a run that diverged", r.State.Phase, err)
	}
}
