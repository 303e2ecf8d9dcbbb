package checkpoint

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// NewOrigin draws the id of a new journal.
func NewOrigin() string { return "accord-journal/" + draw(16) }

// NewIncarnation draws the name of a new life of a journal.
func NewIncarnation() string { return draw(8) }

func draw(bytes int) string {
	random := make([]byte, bytes)
	_, _ = rand.Read(random) // it never fails: the process ends before
	return hex.EncodeToString(random)
}

// Key signs checkpoints of one journal. It is an Ed25519 key in the form of
// package note.
type Key struct {
	signer   note.Signer
	secret   string
	verifier string
}

// NewKey makes a key for the journal of this origin.
func NewKey(origin string) (*Key, error) {
	secret, _, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: make a key: %w", err)
	}
	return ParseKey([]byte(secret))
}

var errKey = errors.New("checkpoint: not the private key of a journal")

// ParseKey reads what Bytes returned.
func ParseKey(file []byte) (*Key, error) {
	secret := strings.TrimSuffix(string(file), "\n")
	signer, err := note.NewSigner(secret)
	if err != nil || !ValidOrigin(signer.Name()) {
		return nil, errKey
	}
	// NewSigner has checked the form, PRIVATE+KEY+name+hash+key, and the key's:
	// one byte of the algorithm, the seed.
	private, err := base64.StdEncoding.DecodeString(strings.SplitN(secret, "+", 5)[4])
	if err != nil || len(private) != 1+ed25519.SeedSize {
		return nil, errKey
	}
	public, ok := ed25519.NewKeyFromSeed(private[1:]).Public().(ed25519.PublicKey)
	if !ok {
		return nil, errKey
	}
	verifier, err := note.NewEd25519VerifierKey(signer.Name(), public)
	if err != nil {
		return nil, errKey
	}
	return &Key{signer, secret, verifier}, nil
}

// Bytes returns the private key, one line of text.
func (k *Key) Bytes() []byte { return []byte(k.secret + "\n") }

// Verifier returns the public half, in the form of package note. It may be told
// to anybody.
func (k *Key) Verifier() string { return k.verifier }

// Origin returns the id of the journal that the key is for.
func (k *Key) Origin() string { return k.signer.Name() }

// Sign returns c as a signed note. Its origin must be the key's.
func (k *Key) Sign(c Checkpoint) ([]byte, error) {
	if c.Origin != k.Origin() {
		return nil, errors.New("checkpoint: the key is another journal's")
	}
	if _, err := parseText(c.text()); err != nil {
		return nil, err
	}
	msg, err := note.Sign(&note.Note{Text: c.text()}, k.signer)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	return msg, nil
}
