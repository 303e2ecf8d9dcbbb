package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/model/train"
)

// Facts are what is the same in every task of a run, and what an approval is
// bound to.
type Facts struct {
	Run         string     `json:"run"`
	Rounds      int        `json:"rounds"`
	Strategy    string     `json:"strategy"`
	Dataset     string     `json:"dataset,omitempty"` // of the site's; "": the one it trains on unless told otherwise
	Contract    string     `json:"contract"`          // hash; of the network too, where it is known
	Parameters  int        `json:"parameters"`
	Plan        train.Plan `json:"plan"` // the learning rate is that of one round
	SendSamples bool       `json:"send_samples"`
	Trainer     string     `json:"trainer"` // of this site
}

// FactsOf returns the facts of a valid task that trainer would train.
func FactsOf(t exchange.Task, trainer string) Facts {
	return Facts{
		Run: t.Run, Rounds: t.Rounds, Strategy: t.Strategy, Dataset: t.Dataset,
		Contract: t.Contract.Hash(), Parameters: t.Contract.Size(), Plan: t.Plan,
		SendSamples: t.SendSamples, Trainer: trainer,
	}
}

// Digest returns the SHA-256 of the facts' JSON, in hexadecimal, without the
// learning rate, which may differ from round to round: that of the facts that
// were approved is the largest that an approval covers.
func (f Facts) Digest() string {
	f.Plan.Optimizer.LR = 0
	return f.Shown()
}

// Shown is Digest with the learning rate: it names all that a person looks at, so
// that an approval of it is of nothing else.
func (f Facts) Shown() string {
	data, err := json.Marshal(f)
	if err != nil {
		panic("policy: facts are always representable in JSON: " + err.Error())
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
