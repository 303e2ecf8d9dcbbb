package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/internal/fault"
)

// helpWidth is how wide the terminal must be in which explanations are read.
const helpWidth = 80

func TestEveryVerbExplainsItself(t *testing.T) {
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		if cmd.Name() == "help" || cmd.Name() == "completion" { // cobra's own
			return
		}
		if cmd.Short == "" || !strings.Contains(cmd.Example, "accord") {
			t.Errorf("%s: lacks a description or an example", cmd.CommandPath())
		}
		for line := range strings.Lines(cmd.Short + "\n" + cmd.Long) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > helpWidth {
				t.Errorf("%s: a line of the help has %d columns, want at most %d: %s", cmd.CommandPath(), n, helpWidth, line)
			}
		}
		args := append(strings.Fields(cmd.CommandPath())[1:], "--help")
		if r := accord(t, args...); r.code != exitOK || !strings.Contains(r.stdout, "Usage:") || r.stderr != "" {
			t.Errorf("%v: got %+v, want help on stdout", args, r)
		}
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	visit(newRoot(io.Discard, io.Discard))
}

func TestHelpDocumentsEveryExitCode(t *testing.T) {
	help := mustAccord(t, "--help")
	for _, code := range []int{exitOK, exitFailure, exitUsage, exitInput, exitUnavailable, exitExists, exitDiverged, exitInterrupted} {
		if !strings.Contains(help, fmt.Sprintf("\n  %-4d ", code)) {
			t.Errorf("accord --help does not document exit code %d", code)
		}
	}
}

func TestExitCodeOfEachClass(t *testing.T) {
	for err, want := range map[error]int{
		nil:                                     exitOK,
		errors.New("disk full"):                 exitFailure,
		fault.Usagef("x"):                       exitUsage,
		fault.Inputf("x"):                       exitInput,
		fault.As(fault.Exists, errors.New("x")): exitExists,
		fault.As(fault.Unavailable, errors.New("x")): exitUnavailable,
		fault.As(fault.Diverged, errors.New("x")):    exitDiverged,
		fmt.Errorf("train: %w", context.Canceled):    exitInterrupted,
	} {
		if got := exitCode(err); got != want {
			t.Errorf("%v: got exit code %d, want %d", err, got, want)
		}
	}
}

// patient is what is said when something takes longer than a moment.
var patient = regexp.MustCompile(`(?m)^.* …\n`)

// Each command line is wrong in one way. It must say so once on stderr, print
// nothing on stdout, and end with the documented code.
func TestBadCommandLines(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.safetensors")
	writeFile(t, broken, "not a model")
	spec := filepath.Join(dir, "spec.yaml")
	writeFile(t, spec, "input: [28, 28, 1]\nlayerz: []\n")
	train := func(args ...string) []string {
		return append([]string{"train", "--out", filepath.Join(dir, "out")}, args...)
	}
	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no such verb", []string{"trian"}, exitUsage, `accord has no command "trian"; did you mean train?`},
		{"no such sub-verb", []string{"data", "fecth"}, exitUsage, `accord data has no command "fecth"`},
		{"no such flag", train("--epoch", "3"), exitUsage, "unknown flag: --epoch"},
		{"flag of another type", train("--epochs", "three"), exitUsage, `invalid argument "three"`},
		{"argument too many", train("x"), exitUsage, `unknown command "x"`},
		{"argument missing", []string{"model", "show"}, exitUsage, "usage: accord model show FILE"},
		{"address without port", []string{"run", "list", "--coordinator", "fl.example.org"}, exitUsage, "want host:port"},
		{"port that is none", []string{"federation", "init", filepath.Join(dir, "f"), "--address", "fl.example.org:99999"}, exitUsage, "want host:port"},
		{"token for ever", []string{"invite", "a", "--ttl", "100000h"}, exitUsage, "at most"},
		{"certificate that has ended", []string{"ca", "sign", "--days", "-5", "x.csr"}, exitUsage, "--days -5"},
		{"required flag missing", []string{"data", "partition"}, exitUsage, `required flag(s) "out" not set`},
		{"split unknown", []string{"model", "predict", broken, "--split", "x"}, exitInput, broken},
		{"lr", train("--lr", "-1"), exitInput, "lr: want a finite number above 0, got -1"},
		{"lr NaN", train("--lr", "nan"), exitInput, "lr: want a finite number above 0"},
		{"epochs", train("--epochs", "0"), exitInput, "epochs: want 1 or more"},
		{"batch", train("--batch", "-2"), exitInput, "batch: want 1 or more, or 0"},
		{"optimizer", train("--optimizer", "lion"), exitInput, `optimizer: "lion" is not known`},
		{"momentum of adam", train("--optimizer", "adam", "--momentum", "0.9"), exitInput, "momentum: only sgd has it"},
		{"threads", train("--threads", "-1"), exitInput, "threads: want 1 to"},
		{"many threads", train("--threads", "100000"), exitInput, "threads: want 1 to"},
		{"many threads that simulate", []string{"simulate", "--threads", "100000", "--out", filepath.Join(dir, "many")}, exitInput, "threads: want 1 to"},
		{"data set unknown", train("--dataset", "minst"), exitInput, `dataset: "minst" is not known`},
		{"data set without folder", train("--dataset", "mnist"), exitInput, "mnist needs the folder"},
		{"data set not there", train("--dataset", "npz:"+filepath.Join(dir, "none.npz")), exitInput, "none.npz"},
		{"data set broken", train("--dataset", "safetensors:"+broken), exitInput, "broken.safetensors"},
		{"spec broken", train("--spec", spec), exitInput, "spec.yaml:2"},
		{"spec not there", train("--spec", filepath.Join(dir, "none.yaml")), exitInput, "none.yaml"},
		{"weights broken", train("--init", broken), exitInput, "broken.safetensors"},
		{"weights not there", train("--init", filepath.Join(dir, "none.safetensors")), exitInput, "none.safetensors"},
		{"folder is there", []string{"train", "--out", dir}, exitExists, "is already there"},
		{"folder of shards is there", []string{"data", "partition", "--out", dir}, exitExists, "is already there"},
		{"more sites than images", []string{"data", "stats", "--dataset", "digits", "--samples-per-site", "10", "--partition", "iid", "--sites", "0"}, exitInput, "sites: want 1 or more"},
		{"partition unknown", []string{"data", "partition", "--partition", "random", "--out", filepath.Join(dir, "shards")}, exitInput, `unknown partition "random"`},
		{"model not there", []string{"model", "show", filepath.Join(dir, "none")}, exitInput, "none"},
		{"model broken", []string{"model", "show", broken}, exitInput, "broken.safetensors"},
		{"model to measure broken", []string{"model", "eval", broken}, exitInput, "broken.safetensors"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := accord(t, c.args...)
			if r.code != c.code || !strings.Contains(r.stderr, c.want) {
				t.Errorf("got exit code %d and %q, want %d and %q", r.code, r.stderr, c.code, c.want)
			}
			r.stderr = patient.ReplaceAllString(r.stderr, "") // said on a slow machine only
			if r.stdout != "" || strings.Count(r.stderr, "accord: ") != 1 || !strings.HasPrefix(r.stderr, "accord: ") {
				t.Errorf("want one line on stderr and nothing on stdout; got %+v", r)
			}
			if hint := strings.Contains(r.stderr, "--help'"); hint != (c.code == exitUsage) {
				t.Errorf("a hint to --help: got %v in %q", hint, r.stderr)
			}
		})
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(entries), 2; got != want {
		t.Errorf("%d entries in the folder, want the %d that were there before", got, want)
	}
}

func TestVersion(t *testing.T) {
	if got := mustAccord(t, "version"); !strings.HasPrefix(got, "accord ") {
		t.Errorf("got %q", got)
	}
	var info struct{ Version, Go, OS, Arch string }
	if err := json.Unmarshal([]byte(mustAccord(t, "version", "--json")), &info); err != nil {
		t.Fatal(err)
	}
	if info.Version == "" || info.Go == "" || info.OS == "" || info.Arch == "" {
		t.Errorf("got %+v, want all fields", info)
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if out := mustAccord(t, "completion", shell); !strings.Contains(out, "accord") {
			t.Errorf("%s: no completion script", shell)
		}
	}
}

func TestVerbsWithSubVerbsExplainThemselves(t *testing.T) {
	for _, args := range [][]string{{}, {"data"}, {"model"}} {
		if out := mustAccord(t, args...); !strings.Contains(out, "Available Commands:") && !strings.Contains(out, "Training:") {
			t.Errorf("accord %v: got %q, want help", args, out)
		}
	}
}
