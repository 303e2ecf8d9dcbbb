package round

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the transcripts' answers")

// Each transcript is a comment, then events (> kind json), each followed by
// what the machine made of it.
func TestTranscripts(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, want)
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("transcript differs (-want +got), -update rewrites it:\n%s", diff)
			}
		})
	}
}

// play steps the events of a transcript and writes it again.
func play(t *testing.T, transcript []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var state State
	lines := bufio.NewScanner(bytes.NewReader(transcript))
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			fmt.Fprintln(&out, line)
			continue
		}
		text, ok := strings.CutPrefix(line, "> ")
		if !ok {
			continue
		}
		kind, data, _ := strings.Cut(text, " ")
		event, err := Decode(kind, []byte(data))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&out, line)
		next, effects, err := Step(state, event)
		if err != nil {
			fmt.Fprintf(&out, "  refused: %v\n", err)
			continue
		}
		state = next
		fmt.Fprintf(&out, "  %s", describe(state))
		for _, e := range effects {
			fmt.Fprintf(&out, "  → %s\n", describeEffect(e))
		}
	}
	return out.Bytes()
}

func describe(s State) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s round %d attempt %d model %s", s.Phase, s.Round, s.Attempt, s.Model)
	for t := range s.Tasks() {
		fmt.Fprintf(&b, " %s:%s", t.Participant, t.Status)
		if t.Seat != "" {
			fmt.Fprintf(&b, "(for %s)", t.Seat)
		}
	}
	for _, seat := range waiting(s) {
		fmt.Fprintf(&b, " %s:vacant", seat)
	}
	if r := s.Release; r != nil {
		fmt.Fprintf(&b, " [%s measured:%t halted:%t]", r.Model, r.Measured, r.Halted)
	}
	if s.Counts != (Counts{}) {
		fmt.Fprintf(&b, " %+v", s.Counts)
	}
	if s.Reason != "" {
		fmt.Fprintf(&b, " (%s)", s.Reason)
	}
	b.WriteByte('\n')
	return b.String()
}

func describeEffect(e Effect) string {
	names := func(tasks []Task) string {
		var s []string
		for _, t := range tasks {
			s = append(s, t.Participant+"="+t.Digest)
		}
		return strings.Join(s, " ")
	}
	switch e := e.(type) {
	case Select:
		return fmt.Sprintf("select %g of those who attend, at least %d, minimum %d", e.Fraction, e.MinSites, e.Minimum)
	case Offer:
		return fmt.Sprintf("offer %s on %s until %s", e.Task.ID, e.Model, e.Deadline.Format("15:04:05"))
	case Replace:
		return fmt.Sprintf("replace %s by none of %s", e.Seat, strings.Join(e.Asked, " "))
	case Arm:
		return "arm " + e.At.Format("15:04:05")
	case Aggregate:
		return fmt.Sprintf("aggregate %s + %s", e.Base, names(e.Updates))
	case Evaluate:
		return "evaluate " + e.Model
	case Publish:
		return fmt.Sprintf("publish %s of round %d from %s", e.Version.Model, e.Version.Round, names(e.Updates))
	case Acknowledge:
		return fmt.Sprintf("acknowledge %s to %s: %s %s", e.Task, e.Participant, e.Verdict, e.Reason)
	case Withdraw:
		return fmt.Sprintf("withdraw %s: %s", names(e.Tasks), e.Reason)
	default:
		return fmt.Sprintf("%T", e)
	}
}
