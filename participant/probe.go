package participant

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
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

// maxSkew is by how much a site's clock may differ from the coordinator's:
// certificates allow for no more.
const maxSkew = 4 * time.Minute

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
		f.OK, f.Detail, f.Advice = false, "it ended on "+leaf.NotAfter.Format(time.DateTime), again
	case now.Before(leaf.NotBefore):
		f.OK, f.Detail, f.Advice = false, "it begins on "+leaf.NotBefore.Format(time.DateTime), "set this machine's clock"
	}
	return f
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
		return append(findings, o.blocked(err, host, peer))
	}
	findings = append(findings, Finding{Check: "coordinator", OK: true, Detail: fmt.Sprintf("%s lets this site in, %v", o.Coordinator, took.Round(time.Millisecond))})
	skew := time.Since(response.GetNow().AsTime()) - took/2
	clock := Finding{Check: "clock", OK: skew.Abs() < maxSkew, Detail: fmt.Sprintf("%v from the coordinator's", skew.Round(time.Millisecond))}
	if !clock.OK {
		clock.Advice = "set this machine's clock (NTP); certificates are judged by it"
	}
	return append(findings, clock)
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
	case refusal(err) != nil:
		f.Advice = "it answers and refuses this site: ask those who run the federation"
	case len(peer) > 0 && pki.KeyOf(peer[len(peer)-1]) != pki.KeyOf(roots[0]):
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
