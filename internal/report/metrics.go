package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/accord-fl/accord/internal/fault"
)

// Round is one line of metrics.jsonl.
type Round struct {
	Round        int      `json:"round"`    // or epoch; 0 is the model at the start
	Accuracy     *float64 `json:"accuracy"` // on the test set; null: not measured
	Loss         *float64 `json:"loss"`
	ValAccuracy  *float64 `json:"val_accuracy,omitempty"` // on the validation set
	ValLoss      *float64 `json:"val_loss,omitempty"`
	TrainLoss    *float64 `json:"train_loss,omitempty"` // mean over the training of the round
	Sites        int      `json:"sites,omitempty"`      // whose updates were aggregated
	Samples      int64    `json:"samples"`              // trained on in the round, repeated ones included
	TrainSeconds float64  `json:"train_seconds"`        // in training, without measuring
	Seconds      float64  `json:"seconds"`              // since the start of the run
	Model        string   `json:"model_digest"`
}

// Metrics appends to a metrics.jsonl.
type Metrics struct{ file *os.File }

// OpenMetrics opens the file at path to append to it, and makes it when it is
// not there. The rest of a line that a crash cut short is removed first.
func OpenMetrics(path string) (*Metrics, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := seekPastLastLine(f); err != nil {
		return nil, errors.Join(fmt.Errorf("open metrics %s: %w", path, err), f.Close())
	}
	return &Metrics{file: f}, nil
}

// seekPastLastLine cuts f after its last newline and goes there.
func seekPastLastLine(f *os.File) error {
	data, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	end := int64(bytes.LastIndexByte(data, '\n') + 1)
	if err := f.Truncate(end); err != nil {
		return err
	}
	_, err = f.Seek(end, io.SeekStart)
	return err
}

// Append writes a line.
func (m *Metrics) Append(r Round) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("append metrics of round %d: %w", r.Round, err)
	}
	_, err = m.file.Write(append(line, '\n'))
	return err
}

// Close makes the lines durable and closes the file.
func (m *Metrics) Close() error { return errors.Join(m.file.Sync(), m.file.Close()) }

// ReadMetrics reads the file at path. A last line without its end was cut
// short by a crash and is left out; of two lines about the same round, as an
// interrupted run leaves them, the later one counts. Anything else that is not
// a line of metrics is an error of class fault.Input.
func ReadMetrics(path string) ([]Round, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.As(fault.Input, err)
	}
	defer func() { _ = f.Close() }() // only read
	rounds, err := readMetrics(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return rounds, nil
}

func readMetrics(r io.Reader) ([]Round, error) {
	var rounds []Round
	at := map[int]int{} // round → its index in rounds
	lines := bufio.NewReader(r)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return rounds, nil
		}
		if err != nil {
			return nil, err
		}
		var round Round
		if err := json.Unmarshal(line, &round); err != nil {
			return nil, fault.Inputf("line %d: %w", n, err)
		}
		if i, again := at[round.Round]; again {
			rounds[i] = round
			continue
		}
		at[round.Round] = len(rounds)
		rounds = append(rounds, round)
	}
}
