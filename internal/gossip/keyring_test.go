package gossip

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/accord-fl/accord/internal/fault"
)

func TestKeysSurviveARoundTrip(t *testing.T) {
	want := Keys{NewKey(), NewKey(), NewKey()}
	path := filepath.Join(t.TempDir(), "keyring")
	for range 2 { // the second time over the first
		if err := want.Save(path); err != nil {
			t.Fatal(err)
		}
	}
	got, err := LoadKeys(path)
	if err != nil || !got.Equal(want) {
		t.Errorf("got %d keys (%v), want those that were saved", len(got), err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" {
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("got mode %v, want 0600", mode)
		}
		if err := os.Chmod(path, 0o640); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadKeys(path); !errors.Is(err, fault.Input) || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("a file that others may read: got %v", err)
		}
	}
}

func TestReadKeys(t *testing.T) {
	key := base64.StdEncoding.EncodeToString(NewKey())
	tests := []struct{ name, text, want string }{
		{"comments and empty lines", "# first\n" + key + "\n\n  " + key + "  \n", ""},
		{"no key", "# nothing\n", "0 keys"},
		{"too many", strings.Repeat(key+"\n", maxKeys+1), "9 keys"},
		{"not base64", key + "\nsecret!\n", "line 2"},
		{"too short", "c2hvcnQ=\n", "5 bytes"},
		{"endless", strings.Repeat("x", 100<<10), "keyring"},
	}
	for _, test := range tests {
		_, err := ReadKeys(strings.NewReader(test.text))
		if test.want == "" {
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
			continue
		}
		if !errors.Is(err, fault.Input) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
		if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), key) {
			t.Errorf("%s: the error tells the key", test.name)
		}
	}
}

func FuzzReadKeys(f *testing.F) {
	f.Add(base64.StdEncoding.EncodeToString(NewKey()))
	f.Add("# x\n\nAAAA")
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := ReadKeys(strings.NewReader(text))
		if err == nil && keys.Validate() != nil {
			t.Error("keys were read that are not valid")
		}
		if err != nil && !errors.Is(err, fault.Input) {
			t.Errorf("%v is not of class fault.Input", err)
		}
	})
}
