package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/accord-fl/accord/internal/disk"
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

// Metrics appends to a metrics.jsonl. Methods must not be called concurrently.
type Metrics struct {
	disk disk.Disk
	file disk.File
	last line // the file's last one
	end  int64
}

// line is where a line of the file begins and what round it is about.
type line struct {
	start int64
	round int
	any   bool // there is such a line
}

// OpenMetrics opens the file at path to append to it, and makes it when it is
// not there. The rest of a line that a crash cut short is removed first. Only the
// end of the file is read.
func OpenMetrics(path string) (*Metrics, error) { return openMetrics(disk.OS(), path) }

// OpenMetrics opens the folder's metrics.jsonl.
func (f Folder) OpenMetrics() (*Metrics, error) { return openMetrics(f.disk, f.Path(MetricsFile)) }

func openMetrics(d disk.Disk, path string) (*Metrics, error) {
	f, err := d.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	m := &Metrics{disk: d, file: f}
	if err := m.seekEnd(); err != nil {
		return nil, errors.Join(fmt.Errorf("open metrics %s: %w", path, err), f.Close())
	}
	return m, nil
}

// tailBytes is how much of a file's end is looked at first: some lines.
const tailBytes = 4096

// seekEnd cuts the file after its last newline, and finds the line that it ends.
func (m *Metrics) seekEnd() error {
	info, err := m.file.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	for length := min(int64(tailBytes), size); ; length = min(2*length, size) {
		tail := make([]byte, length)
		if _, err := m.file.ReadAt(tail, size-length); err != nil {
			return err
		}
		whole := tail[:bytes.LastIndexByte(tail, '\n')+1]
		start := bytes.LastIndexByte(whole[:max(0, len(whole)-1)], '\n') + 1
		if start == 0 && length < size { // the line may begin before
			continue
		}
		m.end = size - length + int64(len(whole))
		if len(whole) > 0 {
			m.remember(m.end-int64(len(whole)-start), whole[start:])
		}
		return m.file.Truncate(m.end)
	}
}

// remember notes the last line. One that is not of metrics is nobody's to replace.
func (m *Metrics) remember(start int64, text []byte) {
	var r Round
	m.last = line{start: start, any: json.Unmarshal(text, &r) == nil, round: r.Round}
}

// Append writes a line. When the last line is about the same round, as after a
// crash between two publications of it, it is replaced; other lines stay.
func (m *Metrics) Append(r Round) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("append metrics of round %d: %w", r.Round, err)
	}
	start := m.end
	if m.last.any && m.last.round == r.Round {
		// A crash before the write loses the line, not what it said: a round is
		// appended again only when that was not acknowledged.
		start = m.last.start
		if err := m.file.Truncate(start); err != nil {
			return fmt.Errorf("append metrics of round %d: %w", r.Round, err)
		}
	}
	n, err := m.file.WriteAt(append(text, '\n'), start)
	if err != nil {
		return fmt.Errorf("append metrics of round %d: %w", r.Round, err)
	}
	m.last, m.end = line{start: start, round: r.Round, any: true}, start+int64(n)
	return nil
}

// Close makes the lines durable, and with the first that the file is there, and
// closes the file.
func (m *Metrics) Close() error {
	err := errors.Join(m.file.Sync(), m.file.Close())
	if err == nil && m.last.start == 0 {
		err = m.disk.SyncDir(filepath.Dir(m.file.Name()))
	}
	return err
}

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
