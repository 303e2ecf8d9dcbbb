package wire

import "testing"

func TestPlain(t *testing.T) {
	for message, want := range map[string]string{
		"": "",
		`connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:1: connect: connection refused"`:                                                     "dial tcp 127.0.0.1:1: connect: connection refused",
		`connection error: desc = "error reading server preface: EOF"`:                                                                                                     "it hung up: does it want certificates? (--identity names an admin's folder, identity: a site's)",
		`connection error: desc = "transport: Error while dialing: failed to do connect handshake, response: \"HTTP/1.1 407 Proxy Authentication Required\\r\\nDate: x\""`: "the proxy that HTTPS_PROXY names answers 407 Proxy Authentication Required",
		`connection error: desc = "transport: authentication handshake failed: tls: failed to verify certificate: x509: certificate signed by unknown authority"`:          "its certificate is not of this federation: another coordinator, or something on the way that opens TLS, answers there",
		"error reading from server: EOF": "it closed the connection",
		"no run of that name":            "no run of that name",
	} {
		if got := Plain(message); got != want {
			t.Errorf("%q: got %q, want %q", message, got, want)
		}
	}
}
