package participant_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/checkpoint"
	"github.com/accord-fl/accord/internal/disk/disktest"
	"github.com/accord-fl/accord/participant/policy"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// shownBy is what a coordinator says of its journal in a welcome.
type shownBy struct {
	signed []byte
	key    string
}

// notary signs checkpoints of one journal.
type notary struct {
	t   *testing.T
	key *checkpoint.Key
}

func newNotary(t *testing.T, origin string) notary {
	t.Helper()
	key, err := checkpoint.NewKey(origin)
	if err != nil {
		t.Fatal(err)
	}
	return notary{t, key}
}

// at is the head of an incarnation after so many records; other gives another root.
func (n notary) at(incarnation string, size int64, other byte) shownBy {
	n.t.Helper()
	c := checkpoint.Checkpoint{Origin: n.key.Origin(), Head: checkpoint.Head{Size: size}, Incarnation: incarnation}
	c.Head.Root[0] = other
	signed, err := n.key.Sign(c)
	if err != nil {
		n.t.Fatal(err)
	}
	return shownBy{signed, n.key.Verifier()}
}

// journals is a fake that says one thing of its journal after another, ends the
// conversation each time, and notes what it is shown.
type journals struct {
	fake
	mu    sync.Mutex
	says  []shownBy
	shown [][]byte
}

func (j *journals) begin(t *testing.T, says ...shownBy) {
	j.says = says
	j.answer = func(s *talk) error {
		j.mu.Lock()
		j.shown = append(j.shown, s.hello.GetCheckpoint())
		var now shownBy
		if len(j.says) > 0 {
			now, j.says = j.says[0], j.says[1:]
		}
		last := len(j.says) == 0
		j.mu.Unlock()
		err := s.say(&accordv1.AttendResponse{Message: &accordv1.AttendResponse_Welcome{Welcome: &accordv1.Welcome{
			Version: "test", Protocol: exchange.Protocol, Lease: durationpb.New(lease), Checkpoint: now.signed, JournalKey: now.key,
		}}})
		if err != nil || last {
			return s.rest()
		}
		time.Sleep(time.Second)
		return lost
	}
	j.serve(t)
}

func saidBy(logs *observer.ObservedLogs, words string) int {
	return logs.Filter(func(e observer.LoggedEntry) bool { return strings.Contains(e.Message, words) }).Len()
}

const (
	saysForeign  = "this is not the journal that this site knew"
	saysRestored = "the coordinator was restored"
	saysLacks    = "the coordinator's journal lacks records"
	saysUnsigned = "the coordinator's checkpoint is not signed as it should be"
	saysDamaged  = "cannot be read, and is forgotten"
)

// What a site keeps of a journal, says of it and shows of it, for what the
// coordinator says first and then.
func TestWhatASiteMakesOfAJournal(t *testing.T) {
	const one, two, three = "1111111111111111", "2222222222222222", "3333333333333333"
	ours := newNotary(t, checkpoint.NewOrigin())
	rekeyed, theirs := newNotary(t, ours.key.Origin()), newNotary(t, checkpoint.NewOrigin())
	forged := ours.at(one, 90, 0)
	forged.signed = bytes.Replace(forged.signed, []byte("\n90\n"), []byte("\n99\n"), 1)
	big := ours.at(one, 95, 0)
	for len(big.signed) <= exchange.MaxCheckpoint { // a note may have signatures of anybody
		other := newNotary(t, ours.key.Origin()).at(one, 95, 0).signed
		big.signed = append(big.signed, other[bytes.Index(other, []byte("\n\n"))+2:]...)
	}
	for name, c := range map[string]struct {
		says   []shownBy
		keeps  shownBy // and shows
		log    string
		stands string // the incarnation that the policy knows
	}{
		"a later head":                    {[]shownBy{ours.at(one, 5, 0), ours.at(one, 9, 0)}, ours.at(one, 9, 0), "", one},
		"the same head":                   {[]shownBy{ours.at(one, 5, 0), ours.at(one, 5, 0)}, ours.at(one, 5, 0), "", one},
		"an earlier head":                 {[]shownBy{ours.at(one, 5, 0), ours.at(one, 4, 0)}, ours.at(one, 5, 0), saysLacks, one},
		"another root":                    {[]shownBy{ours.at(one, 5, 0), ours.at(one, 5, 1)}, ours.at(one, 5, 0), saysLacks, one},
		"a restore":                       {[]shownBy{ours.at(one, 5, 0), ours.at(two, 3, 0)}, ours.at(two, 3, 0), saysRestored, two},
		"a restore with another key":      {[]shownBy{ours.at(one, 5, 0), rekeyed.at(two, 6, 0)}, rekeyed.at(two, 6, 0), saysRestored, two},
		"a copy of before a restore":      {[]shownBy{ours.at(one, 5, 0), ours.at(two, 6, 0), ours.at(one, 9, 0)}, ours.at(two, 6, 0), saysLacks, two},
		"two restores":                    {[]shownBy{ours.at(one, 5, 0), ours.at(two, 3, 0), ours.at(three, 3, 0)}, ours.at(three, 3, 0), saysRestored, three},
		"another key, in the same life":   {[]shownBy{ours.at(one, 5, 0), rekeyed.at(one, 6, 0)}, ours.at(one, 5, 0), saysUnsigned, one},
		"another journal":                 {[]shownBy{ours.at(one, 5, 0), theirs.at(two, 1, 0)}, theirs.at(two, 1, 0), saysForeign, two},
		"a bad signature":                 {[]shownBy{ours.at(one, 5, 0), forged}, ours.at(one, 5, 0), saysUnsigned, one},
		"a bad signature first":           {[]shownBy{forged}, shownBy{}, saysUnsigned, ""},
		"garbage":                         {[]shownBy{ours.at(one, 5, 0), {[]byte("x"), "y"}}, ours.at(one, 5, 0), saysUnsigned, one},
		"one too large to be shown again": {[]shownBy{ours.at(one, 5, 0), big}, ours.at(one, 5, 0), saysUnsigned, one},
		"none any more":                   {[]shownBy{ours.at(one, 5, 0), {}}, ours.at(one, 5, 0), "", one},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &journals{}
				j.begin(t, append(c.says, shownBy{})...)
				o := j.options(t.TempDir())
				o.Policy = gate(o.Dir, policy.Default())
				logs, stop := j.start(o, &counting{})
				time.Sleep(2 * time.Minute)
				if err := stop(); err != nil {
					t.Fatal(err)
				}
				if len(j.shown) != len(c.says)+1 || !bytes.Equal(j.shown[len(c.says)], c.keeps.signed) {
					t.Errorf("the site has shown %q, want %q at last", j.shown, c.keeps.signed)
				}
				for _, words := range []string{saysForeign, saysRestored, saysLacks, saysUnsigned} {
					mayBe := words == saysRestored && len(c.says) > 2 // on the way
					if got := saidBy(logs, words) > 0; got != (c.log == words) && (!got || !mayBe) {
						t.Errorf("%q was logged: %v", words, got)
					}
				}
				if got := livesOf(t, o.Dir); c.stands != "" && !strings.Contains(got, c.stands) {
					t.Errorf("the policy knows %q, want %s", got, c.stands)
				}
				// Another process shows the same.
				j.begin(t)
				_, stop = j.start(o, &counting{})
				time.Sleep(time.Minute)
				if err := stop(); err != nil {
					t.Fatal(err)
				}
				if last := j.shown[len(j.shown)-1]; !bytes.Equal(last, c.keeps.signed) {
					t.Errorf("after a restart the site has shown %q, want %q", last, c.keeps.signed)
				}
			})
		})
	}
}

func livesOf(t *testing.T, dir string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "answered", ".lives.json"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(data)
}

// A damaged file is forgotten with a word, and the site goes on.
func TestADamagedCheckpointIsForgotten(t *testing.T) {
	ours := newNotary(t, checkpoint.NewOrigin())
	whole := ours.at("1111111111111111", 5, 0)
	var file []byte
	for _, damage := range []func([]byte) []byte{
		func(b []byte) []byte { return b }, // which shows that what follows is damage
		func(b []byte) []byte { return b[:len(b)/2] },
		func([]byte) []byte { return nil },
		func(b []byte) []byte { return make([]byte, len(b)) },
		func(b []byte) []byte { return bytes.Replace(b, []byte(`\n5\n`), []byte(`\n4\n`), 1) },
		func([]byte) []byte { return make([]byte, 1<<20) },
	} {
		synctest.Test(t, func(t *testing.T) {
			j := &journals{}
			j.begin(t, whole)
			dir := t.TempDir()
			path := filepath.Join(dir, "checkpoint.json")
			undamaged := file == nil
			if file != nil {
				if err := os.WriteFile(path, damage(bytes.Clone(file)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			logs, stop := j.run(dir, &counting{})
			time.Sleep(time.Minute)
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			if forgotten := saidBy(logs, saysDamaged) == 1; forgotten == undamaged || len(j.shown[0]) > 0 {
				t.Errorf("forgotten: %v, shown: %q", forgotten, j.shown[0])
			}
			got, err := os.ReadFile(path)
			if err != nil || file != nil && !bytes.Equal(got, file) {
				t.Errorf("the file holds %q, error %v", got, err)
			}
			file = got
		})
	}
}

// Receipts bring later heads by the hundred; the disk is asked for few of them, and
// has the last once the session is over.
func TestReceiptsCostFewWrites(t *testing.T) {
	const receipts, incarnation = 500, "1111111111111111"
	ours := newNotary(t, checkpoint.NewOrigin())
	first, last := ours.at(incarnation, 1, 0), ours.at(incarnation, receipts, 0)
	synctest.Test(t, func(t *testing.T) {
		j := &journals{}
		j.answer = func(s *talk) error {
			err := s.say(&accordv1.AttendResponse{Message: &accordv1.AttendResponse_Welcome{Welcome: &accordv1.Welcome{
				Version: "test", Protocol: exchange.Protocol, Lease: durationpb.New(lease), Checkpoint: first.signed, JournalKey: first.key,
			}}})
			for n := int64(1); n <= receipts && err == nil; n++ {
				time.Sleep(10 * time.Millisecond)
				err = s.say(&accordv1.AttendResponse{Message: &accordv1.AttendResponse_Receipt{Receipt: &accordv1.Receipt{
					Task: "run/1.0/train/a", Verdict: accordv1.Verdict_VERDICT_ACCEPTED, Checkpoint: ours.at(incarnation, n, 0).signed,
				}}})
			}
			if err != nil {
				return err
			}
			return s.rest()
		}
		j.serve(t)
		writes := disktest.New()
		o := j.options(t.TempDir())
		o.Disk = writes
		_, stop := j.start(o, &counting{})
		time.Sleep(6 * time.Second)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(o.Dir, "checkpoint.json"))
		if err != nil || !bytes.Contains(got, []byte(`\n500\n`)) {
			t.Errorf("the file holds %s, error %v, want %q", got, err, last.signed)
		}
		if steps, _ := writes.Calls(); steps > receipts/10 {
			t.Errorf("%d steps of the disk for %d receipts", steps, receipts)
		}
	})
}
