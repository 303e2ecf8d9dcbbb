package pki

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net"
	"regexp"
	"strings"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
)

// Token invites one site, once. Whoever holds it becomes the site, so it
// travels over a channel that only the site's engineer reads.
type Token struct {
	Federation  string `json:"f"`
	Site        string `json:"s"`
	Coordinator string `json:"c"` // host:port
	Root        string `json:"r"` // fingerprint of the root's certificate
	Secret      string `json:"k"` // 128 random bits, base64
}

// tokenPrefix tells tokens, and their version, from everything else, also for
// scanners that look for leaked secrets.
const tokenPrefix = "accord1_"

var fingerprint = regexp.MustCompile(`^[0-9a-f]{64}$`)

// NewSecret draws the secret of a token.
func NewSecret() string {
	secret := make([]byte, 16)
	_, _ = rand.Read(secret) // never fails
	return base64.RawURLEncoding.EncodeToString(secret)
}

// HashSecret is what is kept of a token's secret. It is 128 random bits, so no
// salt and no slow hash is needed.
func HashSecret(secret string) string { return hexSum([]byte(secret)) }

// String returns what the invited engineer pastes.
func (t Token) String() string {
	data, err := json.Marshal(t)
	if err != nil {
		panic("pki: a token is always representable in JSON: " + err.Error())
	}
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(data)
}

// ParseToken reads what was pasted.
func ParseToken(s string) (Token, error) {
	const again = "copy the whole of what `accord invite` printed"
	body, ok := strings.CutPrefix(strings.TrimSpace(s), tokenPrefix)
	if !ok {
		return Token{}, fault.Inputf("this is no token: it must start with %s; %s", tokenPrefix, again)
	}
	if len(body) > 2048 {
		return Token{}, fault.Inputf("the token is too long; %s", again)
	}
	data, err := base64.RawURLEncoding.DecodeString(body)
	var t Token
	if err == nil {
		err = json.Unmarshal(data, &t)
	}
	if err != nil {
		return Token{}, fault.Inputf("the token is damaged; %s", again)
	}
	return t, t.validate()
}

func (t Token) validate() error {
	host, port, err := net.SplitHostPort(t.Coordinator)
	switch {
	case !federationName.MatchString(t.Federation), !exchange.ValidName(t.Site):
		return fault.Inputf("the token names no valid site")
	case err != nil, host == "", port == "":
		return fault.Inputf("the token names no valid address")
	case !fingerprint.MatchString(t.Root):
		return fault.Inputf("the token has no fingerprint of the federation's root")
	case len(t.Secret) < 16 || len(t.Secret) > 64:
		return fault.Inputf("the token has no valid secret")
	}
	return nil
}
