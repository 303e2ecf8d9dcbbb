package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/model/train"
)

// question is everything about a task that shapes what leaves the site: two tasks
// with the same question have the same answer.
type question struct {
	Run         string     `json:"run"`
	Round       int        `json:"round"`
	Participant string     `json:"participant"`
	Seed        uint64     `json:"seed"`
	Model       string     `json:"model"`    // digest
	Contract    string     `json:"contract"` // hash
	Spec        string     `json:"spec"`     // hash, or ""
	Plan        train.Plan `json:"plan"`
	SendSamples bool       `json:"send_samples"`
	Dataset     string     `json:"dataset"`
}

// questionOf returns the digest of the question of a valid task, whose contract has
// the hash contract: 32 hexadecimal digits. The task's id, its deadline and what is told about the cohort are not
// in it, so another attempt at a round asks the same.
func questionOf(t exchange.Task, contract string) string {
	q := question{
		Run: t.Run, Round: t.Round, Participant: t.Participant, Seed: t.Seed, Model: t.Model.Digest,
		Contract: contract, Plan: t.Plan, SendSamples: t.SendSamples, Dataset: t.Dataset,
	}
	if t.Spec != nil {
		q.Spec = t.Spec.Hash()
	}
	data, err := json.Marshal(q)
	if err != nil {
		panic("policy: a question is always representable in JSON: " + err.Error())
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}
