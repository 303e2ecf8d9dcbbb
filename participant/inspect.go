package participant

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/participant/policy"
	"github.com/accord-fl/accord/participant/trainer"
)

// Inspection is what leaves a site, or would, for a run.
type Inspection struct {
	Hello    exchange.Hello   `json:"hello"`  // told when the site attends, whatever it trains
	Facts    policy.Facts     `json:"facts"`  // of the run as it was offered last
	Digest   string           `json:"digest"` // of the facts, with the learning rate
	Offered  time.Time        `json:"offered"`
	Approval *policy.Approval `json:"approval,omitempty"`
	// Verdict, Rule and Reason are what the site would decide now about what was
	// offered last.
	Verdict policy.Verdict `json:"verdict"`
	Rule    string         `json:"rule,omitempty"`
	Reason  string         `json:"reason,omitempty"`
	Limits  Limits         `json:"limits"`
	// Answered is how many rounds of the run the site has answered, or begun to,
	// LastRound the last of them.
	Answered  int `json:"answered"`
	LastRound int `json:"last_round,omitempty"`
	// NotAllowed are the last decisions against tasks of the run, the newest last.
	NotAllowed []policy.Noted `json:"not_allowed"`
	Update     Contents       `json:"update"`  // of a training that is allowed
	Waiting    []Prepared     `json:"waiting"` // answers that are ready to leave
}

// maxNotAllowed is how many decisions an Inspection shows.
const maxNotAllowed = 10

// Limits are the bounds that the site sets, whatever the coordinator asks; 0: none.
type Limits struct {
	MaxEpochs      int     `json:"max_epochs,omitempty"`
	MaxParameters  int     `json:"max_parameters,omitempty"`
	MaxModel       int64   `json:"max_model,omitempty"`            // bytes
	ReserveBytes   int64   `json:"disk_reserve_bytes,omitempty"`   // that stay free; with the share, the smaller of both
	ReservePercent float64 `json:"disk_reserve_percent,omitempty"` // of the disk
	MaxRepeats     int     `json:"max_repeats"`
}

func limits(p policy.Policy, r policy.Reserve) Limits {
	return Limits{
		MaxEpochs: p.MaxEpochs, MaxParameters: p.MaxParameters, MaxModel: p.MaxModel, MaxRepeats: p.MaxRepeats,
		ReserveBytes: r.Bytes, ReservePercent: r.Percent,
	}
}

// Contents are what the answer to a task holds, beside the task's id and the
// digest of the model that it started from.
type Contents struct {
	File    int64              `json:"file_bytes"` // of the safetensors file of the delta
	Tensors []model.TensorSpec `json:"tensors"`    // in it
	Samples bool               `json:"samples"`    // their number, and that of the steps
	// Metrics are their names. A site's own program may give any: then
	// AnyMetrics is true.
	Metrics    []string `json:"metrics,omitempty"`
	AnyMetrics bool     `json:"any_metrics,omitempty"`
}

// Inspect tells what leaves the site of o, or would, for a run that was
// offered to it. It reads the site's folder alone, also while Run runs. When
// the run was not offered, the error is of class fault.Input.
func Inspect(o Options, gate *policy.Gate, run string) (Inspection, error) {
	records := policy.Records{Dir: o.Dir}
	offer, err := records.Offer(run)
	if err != nil {
		return Inspection{}, err
	}
	in := Inspection{Hello: o.told(), Facts: offer.Facts, Digest: offer.Facts.Shown(), Offered: offer.At}
	if in.Approval, err = records.Approval(run); err != nil {
		return Inspection{}, err
	}
	d, err := gate.Judge(offer.Task)
	if err != nil {
		return Inspection{}, err
	}
	in.Limits = limits(gate.Policy, o.Reserve)
	if in.Answered, in.LastRound, err = records.Rounds(run); err != nil {
		return Inspection{}, err
	}
	in.Verdict, in.Rule, in.Reason = d.Verdict, d.Rule, d.Reason
	var allowed bool
	if in.NotAllowed, allowed, err = records.NotAllowed(run, maxNotAllowed); err != nil {
		return Inspection{}, err
	}
	// The offer that is kept is the one to approve, with the highest learning rate;
	// what was asked last may be another.
	if last := len(in.NotAllowed) - 1; d.Verdict == policy.Allow && !allowed && last >= 0 && in.NotAllowed[last].Rule == policy.RuleMaxRepeats {
		n := in.NotAllowed[last]
		in.Verdict, in.Rule, in.Reason = n.Verdict, n.Rule, n.Reason
	}
	if in.Update, err = contents(offer.Task, gate.Policy, o.Capabilities.Trainer); err != nil {
		return Inspection{}, err
	}
	in.Waiting, err = prepared(o.Dir, run)
	return in, err
}

// contents of the answer to a task under a policy.
func contents(t exchange.Task, p policy.Policy, by string) (Contents, error) {
	if err := t.Validate(); err != nil {
		return Contents{}, err
	}
	c := Contents{Tensors: t.Contract.Tensors, Samples: t.SendSamples && p.ShareSamples}
	if p.ShareMetrics {
		if c.AnyMetrics = by != "builtin"; !c.AnyMetrics {
			c.Metrics = trainer.BuiltinMetrics()
		}
	}
	var header bytes.Buffer
	if _, err := t.Contract.NewWriter(&header); err != nil {
		return Contents{}, err
	}
	c.File = int64(header.Len()) + t.Contract.Bytes()
	return c, nil
}

// Prepared is an answer that waits to leave the site, exactly as it will.
type Prepared struct {
	Reply     exchange.Reply `json:"reply"`
	Artefacts []File         `json:"artefacts,omitempty"` // that go with it
}

// prepared reads the answers for a run that are in the outbox of dir.
func prepared(dir, run string) ([]Prepared, error) {
	paths, err := repliesIn(filepath.Join(dir, outboxDir))
	if err != nil {
		return nil, err
	}
	all := []Prepared{} // in JSON a list, also when it is empty
	for _, path := range paths {
		k, err := readReply(path)
		r := k.Reply
		if err != nil && !gone(path) {
			return nil, fault.Inputf("%s: %w", path, err)
		}
		if err != nil || path != replyPath(filepath.Dir(path), r.Task) {
			continue // has just left, and another may be on its way in the same file
		}
		if name, _, _ := strings.Cut(r.Task, "/"); name != run {
			continue
		}
		p := Prepared{Reply: r}
		if r.Update != nil {
			for role, a := range r.Update.Artefacts {
				file, err := describe(filepath.Join(dir, artefactsDir, a.Digest), role)
				if err == nil && file.Digest != a.Digest {
					err = fault.Inputf("%s: the bytes are not those of that digest", file.Path)
				}
				if err != nil && !gone(path) {
					return nil, err
				}
				p.Artefacts = append(p.Artefacts, file)
			}
		}
		if !gone(path) { // while its files were read
			all = append(all, p)
		}
	}
	return all, nil
}

func gone(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}
