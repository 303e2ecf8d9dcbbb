package wire

import (
	"errors"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Reason says why a coordinator refuses a caller, for the caller's program. A
// coordinator that does not know reasons sends none.
type Reason string

// The reasons.
const (
	NoCertificate Reason = "NO_CERTIFICATE"
	Foreign       Reason = "FOREIGN"       // no root that the coordinator trusts stands behind the certificate
	Expired       Reason = "EXPIRED"       // by the coordinator's clock
	NotYetValid   Reason = "NOT_YET_VALID" // likewise
	Unknown       Reason = "UNKNOWN"       // the registry has no such site
	Replaced      Reason = "REPLACED"      // another key has joined under the name
	Revoked       Reason = "REVOKED"
	Left          Reason = "LEFT"
	WrongRole     Reason = "WRONG_ROLE"
	WrongName     Reason = "WRONG_NAME"
	BadToken      Reason = "BAD_TOKEN"
	TooMany       Reason = "TOO_MANY"
	Malformed     Reason = "MALFORMED"
)

// The details of a refusal: a google.rpc.ErrorInfo of this domain, with the
// coordinator's clock among its metadata.
const (
	refusalDomain = "accord"
	refusalNow    = "now"
)

// Refuse returns the status error of a refusal, for the reason given, by a
// coordinator whose clock says now.
func Refuse(code codes.Code, text string, reason Reason, now time.Time) error {
	plain := status.New(code, text)
	detailed, err := plain.WithDetails(&errdetails.ErrorInfo{
		Reason: string(reason), Domain: refusalDomain, Metadata: map[string]string{refusalNow: now.UTC().Format(time.RFC3339Nano)},
	})
	if err != nil {
		return plain.Err() // only a status OK has no details
	}
	return detailed.Err()
}

// Refusal is what the other side said of a call that it refused.
type Refusal struct {
	Reason Reason
	Now    time.Time // its clock; zero: not known
}

// RefusalOf returns the refusal in an error of a call; false: it is none, or
// comes from a coordinator that does not tell reasons.
func RefusalOf(err error) (Refusal, bool) {
	var carrier interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &carrier) {
		return Refusal{}, false
	}
	for _, detail := range carrier.GRPCStatus().Details() {
		info, ok := detail.(*errdetails.ErrorInfo)
		if !ok || info.GetDomain() != refusalDomain {
			continue
		}
		r := Refusal{Reason: Reason(info.GetReason())}
		if now, err := time.Parse(time.RFC3339Nano, info.GetMetadata()[refusalNow]); err == nil {
			r.Now = now
		}
		return r, true
	}
	return Refusal{}, false
}
