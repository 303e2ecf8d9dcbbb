package participant_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/gofrs/flock"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/participant/trainer"
)

// counting counts trainings. A participant trains one task at a time.
type counting struct{ n int }

func (c *counting) Train(ctx context.Context, t exchange.Task, global *model.File, done func(model.Vector) error) (trainer.Result, error) {
	c.n++
	return trainerFunc(addHalf).Train(ctx, t, global, done)
}

// names lists a folder.
func names(t *testing.T, dir string) []string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
	}
	return names
}

// unanswered returns the files of the replies in a participant's outbox.
func unanswered(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "outbox", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// locked returns the folder of a participant that runs.
func locked(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	lock := flock.New(dir + "/lock")
	if ok, err := lock.TryLock(); !ok || err != nil {
		t.Fatalf("lock: %v, %v", ok, err)
	}
	t.Cleanup(func() { _ = lock.Close() })
	return dir
}
