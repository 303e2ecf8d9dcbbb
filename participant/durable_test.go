package participant_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/accord-fl/accord/exchange"
)

// What a power cut has left of files that were not synced is removed; the task
// is trained again when it is offered.
func TestAfterAPowerCut(t *testing.T) {
	digest := strings.Repeat("ab", 32)
	reply, err := json.Marshal(exchange.Reply{Task: "run/1/0/a", Outcome: exchange.Done, Update: &exchange.Update{
		Task: "run/1/0/a", Base: digest, Samples: 12, Steps: 1,
		Artefacts: map[string]exchange.Artefact{exchange.Delta: {Digest: digest, Bytes: 4}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for name, left := range map[string]map[string]string{
		"an update of zeros":  {"outbox/x.json": string(reply), "artefacts/" + digest: "\x00\x00\x00\x00"},
		"an update missing":   {"outbox/x.json": string(reply)},
		"an empty reply":      {"outbox/x.json": ""},
		"a reply of zeros":    {"outbox/x.json": strings.Repeat("\x00", len(reply))},
		"half a global model": {"artefacts/" + digest: "half"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{}
				f.attend = f.one
				f.serve(t)
				dir := t.TempDir()
				for path, text := range left {
					path = filepath.Join(dir, path)
					if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
						t.Fatal(err)
					}
				}
				trained := &counting{}
				_, stop := f.run(dir, trained)
				time.Sleep(time.Minute)
				if err := stop(); err != nil {
					t.Fatal(err)
				}
				if got := f.last(); got.Outcome != exchange.Done || trained.n != 1 {
					t.Errorf("got reply %+v after %d trainings, want one done", got, trained.n)
				}
				if _, err := os.Stat(filepath.Join(dir, "artefacts", digest)); err == nil {
					t.Error("an artefact stays that is not what its name says")
				}
			})
		})
	}
}
