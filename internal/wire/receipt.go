package wire

import (
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/quote"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// verdicts pairs each verdict with its spelling on the wire.
func verdicts() map[exchange.Verdict]accordv1.Verdict {
	return map[exchange.Verdict]accordv1.Verdict{
		exchange.Accepted:  accordv1.Verdict_VERDICT_ACCEPTED,
		exchange.Rejected:  accordv1.Verdict_VERDICT_REJECTED,
		exchange.Late:      accordv1.Verdict_VERDICT_LATE,
		exchange.Duplicate: accordv1.Verdict_VERDICT_DUPLICATE,
		exchange.Noted:     accordv1.Verdict_VERDICT_NOTED,
	}
}

// FromReceipt writes a receipt for the wire.
func FromReceipt(r exchange.Receipt) *accordv1.Receipt {
	return &accordv1.Receipt{Task: r.Task, Verdict: verdicts()[r.Verdict], Reason: r.Reason}
}

// ToReceipt reads a receipt from the wire; a task that cannot be one and a
// verdict that is not known are errors of class fault.Input. The reason, a text
// for people, is quoted.
func ToReceipt(r *accordv1.Receipt) (exchange.Receipt, error) {
	if err := quote.Check("receipt: task id", r.GetTask()); err != nil {
		return exchange.Receipt{}, err
	}
	for verdict, spelled := range verdicts() {
		if spelled == r.GetVerdict() {
			return exchange.Receipt{Task: r.GetTask(), Verdict: verdict, Reason: quote.Cut(r.GetReason(), exchange.MaxReason)}, nil
		}
	}
	return exchange.Receipt{}, fault.Inputf("receipt for %.80q: verdict %v is not known", r.GetTask(), r.GetVerdict())
}
