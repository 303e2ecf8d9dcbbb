package wire

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/quote"
)

// answered finds what a proxy said in gRPC's account of it.
var answered = regexp.MustCompile(`failed to do connect handshake, response: .*?HTTP/[0-9.]+ ([0-9]{3}[ \w]*)`)

// Proxy returns the proxy through which a coordinator is dialled, without its
// password; "" for none. The error, of class fault.Input, is of one that cannot be
// used.
func Proxy(coordinator string) (string, error) {
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: &url.URL{Scheme: "https", Host: coordinator}})
	switch {
	case err != nil || proxy != nil && (proxy.Hostname() == "" || len(proxy.Path) > 1): // it may tell the password
		return "", fault.Inputf("HTTPS_PROXY is no address of a proxy: want http://[USER:PASSWORD@]HOST:PORT, with odd characters as %%XX")
	case proxy == nil:
		return "", nil
	case proxy.Scheme != "http":
		return "", fault.Inputf("HTTPS_PROXY: a proxy that is spoken to by %s cannot be used, only one by http://", proxy.Scheme)
	default:
		return proxy.Redacted(), nil
	}
}

// Away is that a coordinator cannot be reached, and through which proxy.
func Away(coordinator, why string) error {
	if proxy, err := Proxy(coordinator); err == nil && proxy != "" {
		coordinator += " through the proxy " + proxy
	}
	return fault.As(fault.Unavailable, fmt.Errorf("coordinator %s cannot be reached: %s", coordinator, why))
}

// DiskFull is what a coordinator answers, Unavailable, that cannot write what it is
// given: come again.
const DiskFull = "the coordinator's disk is full or fails at present; try again later"

// hangsUp is how a connection ends from the other side: in peace, or, where that had
// not read all that was sent, not.
const hangsUp = `: (EOF|.*(reset by peer|broken pipe|forcibly closed).*)`

// causes are errors of the network, and what they mean to who reads them.
var causes = []struct {
	pattern *regexp.Regexp
	means   string
}{
	{regexp.MustCompile("(client|server) preface" + hangsUp), "it hung up: does it want certificates? (--identity names an admin's folder, identity: a site's)"},
	{regexp.MustCompile("server preface: http2: frame too large"), "what answers there is no Accord coordinator"},
	{regexp.MustCompile("reading from server" + hangsUp), "it closed the connection"},
	{regexp.MustCompile("tls: first record does not look like a TLS handshake"), "it speaks without certificates, or something else answers there"},
	{regexp.MustCompile("x509: certificate signed by unknown authority"), "its certificate is not of this federation: another coordinator, or something on the way that opens TLS, answers there"},
	{regexp.MustCompile("name resolver error: produced zero addresses"), "no address belongs to that name: is it right, with its port?"},
	{regexp.MustCompile("context deadline exceeded"), "no answer in time: a firewall may be in the way"},
}

// untimely finds in an error of TLS that the peer's certificate is out of its
// time: this machine's clock, the side, and the limit.
var untimely = regexp.MustCompile(`x509: certificate has expired or is not yet valid: current time (\S+) is (before|after) (\S+)`)

// untimelyText says that the coordinator's certificate is out of its time by
// this machine's clock.
func untimelyText(now, side, limit string) string {
	verb := "ended"
	if side == "before" {
		verb = "begins"
	}
	by := ""
	at, err := time.Parse(time.RFC3339, now)
	end, wrong := time.Parse(time.RFC3339, limit)
	if err == nil && wrong == nil {
		by = ", " + Span(at.Sub(end)) + " " + side + " that"
	}
	return fmt.Sprintf("its certificate %s at %s, and this machine's clock says %s%s: is one of the two clocks wrong? "+
		"If neither is, those who run the coordinator must renew its certificate", verb, limit, now, by)
}

// Untimely reports whether a call failed because the coordinator's certificate
// is out of its time by this machine's clock: the coordinator runs.
func Untimely(s *status.Status) bool { return untimely.MatchString(s.Message()) }

// PlainStatus is Plain for what gRPC itself says of a connection; what a server
// answered has its own words, which are quoted.
func PlainStatus(s *status.Status) string {
	switch s.Code() {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Unknown, codes.Internal:
		return Plain(s.Message())
	default:
		return quote.Text(s.Message())
	}
}

// Plain says in one clear line what a message of gRPC about a connection means. What
// the other side or a proxy chose of it is quoted.
func Plain(message string) string {
	if _, quoted, found := strings.Cut(message, "connection error: desc = "); found {
		if cause, err := strconv.Unquote(quoted); err == nil {
			message = cause
		}
	}
	// A failed dial comes wrapped several times.
	if _, inner, found := strings.Cut(message, "Error while dialing: "); found {
		message = strings.TrimSuffix(inner, `"`)
	}
	message = strings.TrimPrefix(message, "transport: ")
	message = strings.TrimPrefix(message, "authentication handshake failed: ")
	if m := answered.FindStringSubmatch(message); m != nil {
		return "the proxy that HTTPS_PROXY names answers " + m[1]
	}
	if m := untimely.FindStringSubmatch(message); m != nil {
		return untimelyText(m[1], m[2], m[3])
	}
	for _, c := range causes {
		if c.pattern.MatchString(message) {
			return c.means
		}
	}
	return quote.Text(message)
}
