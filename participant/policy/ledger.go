package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/atomicfile"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/spool"
)

// keepRounds is of how many rounds of a run a ledger says what was asked. Older
// ones are not answered any more.
const keepRounds = 4096

// asked is one question that the site has answered, or has begun to.
type asked struct {
	round  int
	life   int64  // of the coordinator then: see lifeOf
	digest string // of the question
}

// ledger is what a run has asked of the site. In its file each question is a
// line, written before the training begins: round, life, digest.
type ledger struct {
	floor   int // rounds up to this one are not kept any more
	entries []asked
}

// judge reports whether a question may be answered: fresh when it was not asked
// before, and a reason when it may not.
func (l ledger) judge(q asked, maxRepeats int) (fresh bool, reason string) {
	before, last := 0, int64(-1)
	for _, e := range l.entries {
		if e.round != q.round {
			continue
		}
		if e.digest == q.digest {
			return false, ""
		}
		before, last = before+1, max(last, e.life)
	}
	switch {
	case before == 0 && q.round <= l.floor:
		return false, fmt.Sprintf("round %d lies too far back", q.round)
	case before == 0:
		return true, ""
	case last >= q.life:
		return false, fmt.Sprintf("the site has answered round %d for another model or plan, and answers each round once", q.round)
	case before > maxRepeats:
		return false, fmt.Sprintf("the site has answered round %d already, and %d times again after restores or losses of the coordinator's", q.round, before-1)
	default:
		return true, ""
	}
}

// rounds returns how many rounds the ledger has questions of, and the last.
func (l ledger) rounds() (n, last int) {
	seen := map[int]bool{}
	for _, e := range l.entries {
		seen[e.round] = true
		last = max(last, e.round)
	}
	return len(seen), last
}

// prune forgets the oldest rounds beyond keepRounds.
func (l *ledger) prune() {
	var rounds []int
	for _, e := range l.entries {
		rounds = append(rounds, e.round)
	}
	slices.Sort(rounds)
	rounds = slices.Compact(rounds)
	if len(rounds) <= keepRounds {
		return
	}
	l.floor = rounds[len(rounds)-keepRounds-1]
	l.entries = slices.DeleteFunc(l.entries, func(e asked) bool { return e.round <= l.floor })
}

const floorLine = "floor %d\n"

func (e asked) line() string { return fmt.Sprintf("%d %d %s\n", e.round, e.life, e.digest) }

func (l ledger) bytes() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, floorLine, l.floor)
	for _, e := range l.entries {
		b.WriteString(e.line())
	}
	return b.Bytes()
}

// parseLedger reads a ledger. A line that is not whole is one that was being
// written when the machine stopped, before the training began, and counts for
// nothing.
func parseLedger(data []byte) (l ledger) {
	for line := range strings.Lines(string(data)) {
		var e asked
		if _, err := fmt.Sscanf(line, floorLine, &e.round); err == nil {
			l.floor = max(l.floor, e.round)
			continue
		}
		n, err := fmt.Sscanf(line, "%d %d %s\n", &e.round, &e.life, &e.digest)
		if n == 3 && err == nil && strings.HasSuffix(line, "\n") && spool.ValidDigest(e.digest+e.digest) {
			l.entries = append(l.entries, e)
		}
	}
	return l
}

func (r Records) answered() string { return filepath.Join(r.Dir, "answered") }

func (r Records) ledgerFile(run string) string { return filepath.Join(r.answered(), run+".txt") }

// ledger reads what a run has asked; of a run that has asked nothing it is empty.
func (r Records) ledger(run string) (ledger, error) {
	data, err := os.ReadFile(r.ledgerFile(run))
	if errors.Is(err, fs.ErrNotExist) {
		return ledger{}, nil
	}
	return parseLedger(data), err
}

// Rounds returns how many rounds of a run the site has answered, or has begun to,
// and the last of them.
func (r Records) Rounds(run string) (n, last int, err error) {
	l, err := r.ledger(run)
	n, last = l.rounds()
	return n, last, err
}

// ask writes a fresh question down.
func (r Records) ask(run string, l ledger, q asked) error {
	if err := os.MkdirAll(r.answered(), 0o755); err != nil {
		return err
	}
	if len(l.entries) < 2*keepRounds {
		return appendTo(r.disk(), r.ledgerFile(run), []byte(q.line()))
	}
	l.entries = append(l.entries, q)
	l.prune()
	return atomicfile.On(r.Disk).WriteBytes(r.ledgerFile(run), l.bytes())
}

// Again lets the rounds of a run be asked once more, with whatever model and
// plan: for a coordinator that was set up again and cannot say so.
func (r Records) Again(run string) error {
	if !exchange.ValidName(run) {
		return fault.Inputf("%.80q cannot name a run", run)
	}
	err := os.Remove(r.ledgerFile(run))
	if errors.Is(err, fs.ErrNotExist) {
		return fault.Inputf("this site has not answered run %s", run)
	}
	if err != nil {
		return fmt.Errorf("forget the answers to run %s: %w", run, err)
	}
	return r.disk().SyncDir(r.answered())
}

// lives is how often the coordinator was restored, as far as the site knows.
type lives struct {
	Incarnation string `json:"incarnation"` // the last one that the site was told
	Restores    int    `json:"restores"`    // how often another one was told
}

// lifeOf numbers the lives of a coordinator for one run: a later one has a larger
// number. Another begins with each restore, and with each version of the run that it
// has lost and made again since.
func lifeOf(restores, redone int) int64 {
	return int64(restores)*(exchange.MaxRounds+1) + int64(redone)
}

// livesFile lies beside the ledgers; no run has such a name.
const livesFile = ".lives.json"

// lives reads them; zero: none is known. Of a file that is damaged that is so, too,
// and the error is of class fault.Input.
func (r Records) lives() (l lives, err error) {
	path := filepath.Join(r.answered(), livesFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return l, err
	}
	if err := json.Unmarshal(data, &l); err != nil {
		return lives{}, fault.Inputf("%s: %w", path, err)
	}
	return l, nil
}

// reborn notes the incarnation of the coordinator's journal, and reports whether
// it is another than the one before.
func (r Records) reborn(incarnation string) (bool, error) {
	l, err := r.lives()
	if err != nil && !errors.Is(err, fault.Input) || l.Incarnation == incarnation {
		return false, err
	}
	known := l.Incarnation != ""
	if known {
		l.Restores++
	}
	l.Incarnation = incarnation
	data, err := json.Marshal(l)
	if err != nil {
		return false, err
	}
	if err := os.MkdirAll(r.answered(), 0o755); err != nil {
		return false, err
	}
	return known, atomicfile.On(r.Disk).WriteBytes(filepath.Join(r.answered(), livesFile), append(data, '\n'))
}

// pruneLedgers forgets the ledgers of runs of which neither an offer nor an
// approval is kept. While somebody's approval stands, so does what it was used
// for.
func (r Records) pruneLedgers() error {
	entries, err := os.ReadDir(r.answered())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, e := range entries {
		run, ok := strings.CutSuffix(e.Name(), ".txt")
		if !ok || exists(file(r.offers(), run)) || exists(file(r.approvals(), run)) {
			continue
		}
		errs = append(errs, r.disk().Remove(r.ledgerFile(run)))
	}
	return errors.Join(errs...)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
