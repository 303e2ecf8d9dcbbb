package trainer_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/accord-fl/accord/participant/trainer"
)

func TestCalibrateKeepsItsResult(t *testing.T) {
	engines := trainer.NewPool(1, 1)
	defer engines.Close()
	path := filepath.Join(t.TempDir(), "calibration.json")
	first, err := trainer.Calibrate(t.Context(), engines, path)
	if err != nil || first < 0 {
		t.Fatalf("got %v (%v)", first, err)
	}
	kept := readFile(t, path)
	tests := []struct {
		name, text string
		taken      bool
	}{
		{"what was kept", strings.Replace(kept, `"samples_per_second":`, `"samples_per_second":7654321`, 1), true},
		{"another number of threads", strings.Replace(kept, `"threads":1`, `"threads":7654321`, 1), false},
		{"another processor", strings.Replace(kept, `"kernel":"`, `"kernel":"x`, 1), false},
		{"a damaged file", kept[:len(kept)/2], false},
	}
	for _, test := range tests {
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		// Without time to train, only what is kept can be told.
		done, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := trainer.Calibrate(done, engines, path)
		if taken := err == nil; taken != test.taken {
			t.Errorf("%s: got error %v, want it taken: %t", test.name, err, test.taken)
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want that there was no time", test.name, err)
		}
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
