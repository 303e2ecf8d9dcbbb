package wire

import (
	"errors"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

func TestPlain(t *testing.T) {
	for message, want := range map[string]string{
		"": "",
		`connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:1: connect: connection refused"`:                                                                                                                  "dial tcp 127.0.0.1:1: connect: connection refused",
		`connection error: desc = "error reading server preface: EOF"`:                                                                                                                                                                  "it hung up: does it want certificates? (--identity names an admin's folder, identity: a site's)",
		`connection error: desc = "transport: Error while dialing: failed to do connect handshake, response: \"HTTP/1.1 407 Proxy Authentication Required\\r\\nDate: x\""`:                                                              "the proxy that HTTPS_PROXY names answers 407 Proxy Authentication Required",
		`connection error: desc = "transport: authentication handshake failed: tls: failed to verify certificate: x509: certificate signed by unknown authority"`:                                                                       "its certificate is not of this federation: another coordinator, or something on the way that opens TLS, answers there",
		`connection error: desc = "error reading server preface: connection reset by peer"`:                                                                                                                                             "it hung up: does it want certificates? (--identity names an admin's folder, identity: a site's)",
		`connection error: desc = "error reading server preface: read tcp 127.0.0.1:2->127.0.0.1:1: read: connection reset by peer"`:                                                                                                    "it hung up: does it want certificates? (--identity names an admin's folder, identity: a site's)",
		`connection error: desc = "transport: failed to write client preface: write tcp 127.0.0.1:2->127.0.0.1:1: write: broken pipe"`:                                                                                                  "it hung up: does it want certificates? (--identity names an admin's folder, identity: a site's)",
		`connection error: desc = "error reading server preface: http2: frame too large, note that the frame header looked like an HTTP/1.1 header"`:                                                                                    "what answers there is no Accord coordinator",
		`connection error: desc = "transport: authentication handshake failed: tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2026-01-31T12:00:00Z is after 2026-01-01T10:00:00Z"`:  "its certificate ended at 2026-01-01T10:00:00Z, and this machine's clock says 2026-01-31T12:00:00Z, 30d2h after that: is one of the two clocks wrong? If neither is, those who run the coordinator must renew its certificate",
		`connection error: desc = "transport: authentication handshake failed: tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2026-01-01T10:00:00Z is before 2026-01-01T10:20:05Z"`: "its certificate begins at 2026-01-01T10:20:05Z, and this machine's clock says 2026-01-01T10:00:00Z, 20m5s before that: is one of the two clocks wrong? If neither is, those who run the coordinator must renew its certificate",
		"error reading from server: EOF": "it closed the connection",
		"error reading from server: read tcp 127.0.0.1:2->127.0.0.1:1: read: connection reset by peer": "it closed the connection",
		"no run of that name":                "no run of that name",
		"no\x1b[2J run\naccord: all is well": `no\x1b[2J run\naccord: all is well`,
	} {
		if got := Plain(message); got != want {
			t.Errorf("%q: got %q, want %q", message, got, want)
		}
	}
}

// What a peer says for people is quoted; what names a task must be able to.
func TestPeersWordsAreQuoted(t *testing.T) {
	if got, want := PlainStatus(status.New(codes.PermissionDenied, "no\nyes")), `no\nyes`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	got, err := ToReceipt(&accordv1.Receipt{Task: "t", Verdict: accordv1.Verdict_VERDICT_NOTED, Reason: "a\x1b[2J\u202e"})
	if want := (exchange.Receipt{Task: "t", Verdict: exchange.Noted, Reason: `a\x1b[2J\u202e`}); err != nil || got != want {
		t.Errorf("got %+v (%v), want %+v", got, err, want)
	}
	if _, err := ToReceipt(&accordv1.Receipt{Task: "a\nb", Verdict: accordv1.Verdict_VERDICT_NOTED}); !errors.Is(err, fault.Input) {
		t.Errorf("a task of two lines: got %v, want bad input", err)
	}
}
