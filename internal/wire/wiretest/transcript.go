package wiretest

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Line is one thing that happened in a conversation.
type Line struct {
	At     time.Duration // since the conversation began
	Stream Stream        // zero for an action
	Up     bool          // from the client to the server
	End    bool          // the side that speaks has said all; there is no data
	Data   []byte        // the message
	Action string        // something that was done beside the conversation
}

// Stream is one call: the n-th of a method, from 1.
type Stream struct {
	Method string
	N      int
}

func (s Stream) String() string { return fmt.Sprintf("%s %d", s.Method, s.N) }

// Transcript is a conversation, in order.
type Transcript []Line

var header = regexp.MustCompile(`^(\S+) (?:(\w+) (\d+) ([<>])( end)?|! (.+))$`)

// Load reads the transcript at path. What is written beside the bytes for
// people must be what they mean today.
func Load(path string) (Transcript, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var all Transcript
	var readable, bytesOf []string
	finish := func() error {
		if len(all) == 0 || all[len(all)-1].Action != "" || all[len(all)-1].End {
			return nil
		}
		l := &all[len(all)-1]
		if l.Data, err = hex.DecodeString(strings.Join(bytesOf, "")); err != nil {
			return err
		}
		means, err := l.Means()
		if err != nil {
			return err
		}
		if got := compact(means); got != strings.Join(readable, "") {
			return fmt.Errorf("the bytes mean\n%s\nand beside them is\n%s", got, strings.Join(readable, ""))
		}
		return nil
	}
	for n, line := range strings.Split(string(text), "\n") {
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "  {"):
			readable = append(readable, strings.TrimSpace(line))
		case strings.HasPrefix(line, "  "):
			bytesOf = append(bytesOf, strings.TrimSpace(line))
		default:
			if err := finish(); err != nil {
				return nil, fmt.Errorf("%s: above line %d: %w", path, n+1, err)
			}
			readable, bytesOf = nil, nil
			l, err := parseHeader(line)
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", path, n+1, err)
			}
			all = append(all, l)
		}
	}
	if err := finish(); err != nil {
		return nil, fmt.Errorf("%s: at the end: %w", path, err)
	}
	return all, nil
}

func parseHeader(line string) (Line, error) {
	parts := header.FindStringSubmatch(line)
	if parts == nil {
		return Line{}, fmt.Errorf("%q is no line of a transcript", line)
	}
	at, err := time.ParseDuration(parts[1])
	if err != nil || parts[6] != "" {
		return Line{At: at, Action: parts[6]}, err
	}
	n, err := strconv.Atoi(parts[3])
	return Line{At: at, Stream: Stream{parts[2], n}, Up: parts[4] == ">", End: parts[5] != ""}, err
}

// Save writes the transcript to path, with a comment above it.
func (t Transcript) Save(path, comment string) error {
	var b bytes.Buffer
	for line := range strings.Lines(comment) {
		fmt.Fprintf(&b, "# %s\n", strings.TrimSpace(line))
	}
	for _, l := range t {
		if l.Action != "" {
			fmt.Fprintf(&b, "\n%v ! %s\n", l.At, l.Action)
			continue
		}
		direction := map[bool]string{true: ">", false: "<"}[l.Up]
		if l.End {
			fmt.Fprintf(&b, "\n%v %v %s end\n", l.At, l.Stream, direction)
			continue
		}
		means, err := l.Means()
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "\n%v %v %s\n  %s\n", l.At, l.Stream, direction, compact(means))
		for text := hex.EncodeToString(l.Data); text != ""; {
			n := min(len(text), 96)
			fmt.Fprintf(&b, "  %s\n", text[:n])
			text = text[n:]
		}
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

func compact(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic("wiretest: what came from JSON is JSON: " + err.Error())
	}
	return string(text)
}
