package participant_test

import (
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/participant"
)

func TestRunRefusesBadOptions(t *testing.T) {
	good := participant.DefaultOptions()
	good.Name, good.Coordinator, good.Insecure, good.Dir = "a", "127.0.0.1:7443", true, t.TempDir()
	tests := []struct {
		name   string
		change func(*participant.Options)
		want   string
	}{
		{"no name", func(o *participant.Options) { o.Name = "" }, "name"},
		{"a name that is a path", func(o *participant.Options) { o.Name = "../x" }, "name"},
		{"no folder", func(o *participant.Options) { o.Dir = "" }, "dir"},
		{"no certificates", func(o *participant.Options) { o.Insecure = false }, "insecure: true"},
		{"a plain connection over a network", func(o *participant.Options) { o.Coordinator = "10.0.0.1:7443" }, "loopback"},
		{"a folder in use", func(o *participant.Options) { o.Dir = locked(t) }, "in use by another process"},
	}
	for _, test := range tests {
		o := good
		test.change(&o)
		err := participant.Run(t.Context(), o, trainerFunc(addHalf), zap.NewNop())
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
	}
}
