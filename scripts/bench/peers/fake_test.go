package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// stage plays accord and the peers, and notes who had a turn.
type stage struct {
	t     *testing.T
	dir   string
	turns []string
	// ours and theirs are what is printed, by the verb and the script; the
	// n-th value of a list is that of the n-th turn, the last one stays.
	ours, theirs map[string][]string
	seconds      map[string]time.Duration
	counts       map[string]int
}

func (s *stage) next(lists map[string][]string, name string) string {
	list := lists[name]
	if len(list) == 0 {
		s.t.Fatalf("nothing to print for %s", name)
	}
	n := s.counts[name]
	s.counts[name]++
	return list[min(n, len(list)-1)]
}

// Run implements program.
func (s *stage) Run(_ context.Context, env []string, args ...string) ([]byte, time.Duration, error) {
	verb := args[0]
	if verb == "bench" {
		verb = strings.Join(args[:2], " ")
	}
	s.turns = append(s.turns, strings.Join(append(slices.Clone(env), verb), " "))
	if i := slices.Index(args, "--out"); i >= 0 && verb == "simulate" {
		folder := filepath.Join(s.dir, args[i+1])
		if err := os.Mkdir(folder, 0o755); err != nil {
			return nil, 0, err
		}
		if err := os.WriteFile(filepath.Join(folder, "metrics.jsonl"), []byte(s.next(s.ours, "metrics")), 0o644); err != nil {
			return nil, 0, err
		}
	}
	return []byte(s.next(s.ours, verb)), s.seconds[verb], nil
}

// JSON implements program.
func (s *stage) JSON(ctx context.Context, into any, env []string, args ...string) error {
	out, _, err := s.Run(ctx, env, append(args, "--json")...)
	if err != nil {
		return err
	}
	return json.Unmarshal(out, into)
}

// run implements scripts.
func (s *stage) run(_ context.Context, into *peer, environment, script string, args ...string) (time.Duration, error) {
	name := script
	if slices.Contains(args, "--tuned") {
		name += " --tuned"
	}
	s.turns = append(s.turns, environment+" "+name)
	return s.seconds[name], json.Unmarshal([]byte(s.next(s.theirs, name)), into)
}

// newBench is a go on a stage.
func newBench(t *testing.T, s *stage, repeats int) *bench {
	t.Helper()
	s.t, s.dir, s.counts = t, t.TempDir(), map[string]int{}
	return &bench{accord: s, python: s, dir: s.dir, mnist: "/data/mnist", odd: "/here/odd.yaml", repeats: repeats, log: t.Output()}
}

// trained is what accord bench train prints.
func trained(family string, sparse, dense, share, evaluation, allocations float64) string {
	return fmt.Sprintf(`{"kernel":%q,"samples_per_second":%g,"dense_samples_per_second":%g,"share_of_peak":%g,"evaluation_share_of_peak":%g,"allocations_per_step":%g}`,
		family, sparse, dense, share, evaluation, allocations)
}
