package participant

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/wire"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// Finding is what a look at one thing has shown.
type Finding struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`           // what was seen
	Advice string `json:"advice,omitempty"` // what to do when it is not as it should be
}

// ProbeIdentity looks at the certificate of a site called name.
func ProbeIdentity(c *pki.Credential, name string) Finding {
	leaf := c.Certificate().Leaf
	f := Finding{Check: "certificate", OK: true, Detail: fmt.Sprintf("%s, valid until %s", leaf.Subject.CommonName, leaf.NotAfter.Format(time.DateOnly))}
	const again = "ask for a token (accord invite) and join again (accord participant join)"
	id, err := c.Identity()
	switch now := time.Now(); {
	case err == nil && id.Role != pki.Participant:
		f.OK, f.Detail, f.Advice = false, "it is that of "+id.String(), "name the site's own identity folder"
	case err == nil && id.Name != name:
		f.OK, f.Detail, f.Advice = false, fmt.Sprintf("it is that of %s, the configuration says %s", id.Name, name), "set name to "+id.Name
	case now.After(leaf.NotAfter):
		f.OK, f.Detail, f.Advice = false, untimely("ended", leaf.NotAfter, now), "is this machine's clock right? If it is, "+again
	case now.Before(leaf.NotBefore):
		f.OK, f.Detail, f.Advice = false, untimely("begins", leaf.NotBefore, now), "set the clock that is wrong: this machine's, or the coordinator's when it signed the certificate; the participant waits meanwhile"
	}
	return f
}

// untimely says how far this machine's clock is from a limit of a certificate.
func untimely(verb string, limit, now time.Time) string {
	return fmt.Sprintf("it %s on %s, and this machine's clock says %s, %s away", verb,
		limit.Local().Format(time.DateTime), now.Local().Format(time.DateTime), wire.Span(now.Sub(limit)))
}

// ProbeCoordinator looks at the way to the coordinator: the name, the proxy, who
// answers, whether it lets this site in, and the two clocks.
func ProbeCoordinator(ctx context.Context, o Options) []Finding {
	host, _, err := net.SplitHostPort(o.Coordinator)
	if err != nil {
		return []Finding{{Check: "coordinator", Detail: err.Error(), Advice: "coordinator wants host:port"}}
	}
	findings := []Finding{probeName(ctx, host, o.Coordinator)}
	if !findings[0].OK {
		return findings // nothing further on can be better
	}
	var mu sync.Mutex
	var peer []*x509.Certificate
	config := o.Credential.ProbeTLS(host, func(chain []*x509.Certificate) {
		mu.Lock()
		defer mu.Unlock()
		peer = chain
	})
	conn, err := grpc.NewClient(o.Coordinator, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	if err != nil {
		return append(findings, Finding{Check: "coordinator", Detail: err.Error()})
	}
	defer conn.Close() // nothing is lost with it
	began := time.Now()
	response, err := accordv1.NewEnrollmentServiceClient(conn).Renew(ctx, &accordv1.RenewRequest{RootsOnly: true}, grpc.WaitForReady(false))
	took := time.Since(began)
	mu.Lock()
	defer mu.Unlock()
	if err != nil {
		findings = append(findings, o.blocked(err, host, peer))
		if r, ok := wire.RefusalOf(err); ok && !r.Now.IsZero() {
			findings = append(findings, probeClock(wire.Ahead(r.Now, began)))
		}
		return findings
	}
	findings = append(findings, Finding{Check: "coordinator", OK: true, Detail: fmt.Sprintf("%s lets this site in, %v", o.Coordinator, took.Round(time.Millisecond))})
	return append(findings, probeClock(wire.Ahead(response.GetNow().AsTime(), began)))
}

// probeClock judges by how much the coordinator's clock is ahead.
func probeClock(ahead time.Duration) Finding {
	f := Finding{Check: "clock", OK: ahead.Abs() < wire.ClockWrong, Detail: "the coordinator's is " + wire.ClockText(ahead, "this machine's")}
	if !f.OK {
		f.Advice = "set the clock that is wrong (NTP); certificates are judged by it"
	}
	return f
}

// probeName looks up who will be dialled.
func probeName(ctx context.Context, host, coordinator string) Finding {
	proxy, err := wire.Proxy(coordinator)
	switch {
	case err != nil:
		return Finding{Check: "name", Detail: err.Error(), Advice: "set HTTPS_PROXY to what a proxy needs, or not at all"}
	case proxy != "":
		return Finding{Check: "name", OK: true, Detail: "left to the proxy " + proxy + " (HTTPS_PROXY)"}
	}
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return Finding{Check: "name", Detail: err.Error(), Advice: "is the name right, and does this network resolve it? Behind a proxy set HTTPS_PROXY"}
	}
	return Finding{Check: "name", OK: true, Detail: host + " is " + addresses[0]}
}

// blocked says what stands between the site and the coordinator at host, which
// presented peer, if it came so far.
func (o Options) blocked(err error, host string, peer []*x509.Certificate) Finding {
	f := Finding{Check: "coordinator", Detail: plain(err)}
	roots := o.Credential.Roots()
	proxy, _ := wire.Proxy(o.Coordinator) // probeName has told what is wrong with it
	switch {
	case refusal(err) != nil && passing(err):
		f.Advice = "it answers and refuses this site for now: the participant tries again, slowly; if the clocks are right, ask those who run the federation"
	case refusal(err) != nil:
		f.Advice = "it answers and refuses this site: ask those who run the federation"
	case len(peer) > 0 && !slices.ContainsFunc(roots, func(root *x509.Certificate) bool { return pki.KeyOf(root) == pki.KeyOf(peer[len(peer)-1]) }):
		f.Detail = fmt.Sprintf("a certificate of %q, issued by %q, is presented", peer[0].Subject.CommonName, peer[0].Issuer.CommonName)
		f.Advice = "if that is a firewall of yours, it opens TLS: have " + o.Coordinator + " passed through; else this is another coordinator, or the federation has changed its root while the site was away: then join with another token"
	case len(peer) > 0 && (time.Now().Before(peer[0].NotBefore) || time.Now().After(peer[0].NotAfter)):
		f.Detail = fmt.Sprintf("its certificate is valid from %s to %s, this machine's clock says %s",
			peer[0].NotBefore.Local().Format(time.DateTime), peer[0].NotAfter.Local().Format(time.DateTime), time.Now().Format(time.DateTime))
		f.Advice = "set this machine's clock (NTP); if it is right, those who run the coordinator must renew its certificate"
	case len(peer) > 0 && peer[0].VerifyHostname(host) != nil:
		f.Detail = peer[0].VerifyHostname(host).Error()
		f.Advice = "dial the coordinator by a name that its certificate has, or have one made with this name"
	case len(peer) > 0:
		f.Advice = "the coordinator's certificate is not accepted: ask those who run the federation"
	case proxy != "":
		f.Advice = "is HTTPS_PROXY right, with user and password, and may it connect to " + o.Coordinator + "?"
	default:
		f.Advice = "is the coordinator running, and does a firewall let " + o.Coordinator + " out? Behind a proxy set HTTPS_PROXY"
	}
	return f
}
