package checkpoint

import (
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// MaxBytes bounds a checkpoint with its signatures.
const MaxBytes = 4096

// Head is how far a journal reaches: the number of its records and the root of
// the Merkle tree (RFC 6962) over them.
type Head struct {
	Size int64
	Root tlog.Hash
}

// Checkpoint is what a signed note says about a journal.
type Checkpoint struct {
	// Origin is the journal's id, and the name of the key that signs.
	Origin string
	Head   Head
	// Incarnation is the life of the journal in which the head came about. A
	// restore begins another.
	Incarnation string
}

const extension = "incarnation "

// The forms of an origin and of an incarnation.
var (
	originForm      = regexp.MustCompile(`^accord-journal/[0-9a-f]{32}$`)
	incarnationForm = regexp.MustCompile(`^[0-9a-f]{16}$`)
)

// ValidOrigin reports whether s can be a journal's id.
func ValidOrigin(s string) bool { return originForm.MatchString(s) }

// ValidIncarnation reports whether s can be an incarnation.
func ValidIncarnation(s string) bool { return incarnationForm.MatchString(s) }

// text is the note's text.
func (c Checkpoint) text() string {
	return fmt.Sprintf("%s\n%d\n%s\n%s%s\n", c.Origin, c.Head.Size, c.Head.Root, extension, c.Incarnation)
}

// The errors of Parse and Open.
var (
	// ErrMalformed: the bytes are not a checkpoint of a journal.
	ErrMalformed = errors.New("checkpoint: not a checkpoint of a journal")
	// ErrSignature: none of the keys that were given has signed the checkpoint.
	ErrSignature = errors.New("checkpoint: the signature is not by a key of this journal")
)

// Parse reads what msg says and believes it: the signature is not checked. The
// error is ErrMalformed.
func Parse(msg []byte) (Checkpoint, error) {
	if len(msg) > MaxBytes {
		return Checkpoint{}, ErrMalformed
	}
	text, _, found := strings.Cut(string(msg), "\n\n")
	if !found {
		return Checkpoint{}, ErrMalformed
	}
	return parseText(text + "\n")
}

func parseText(text string) (Checkpoint, error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) != 4 || !ValidOrigin(lines[0]) {
		return Checkpoint{}, ErrMalformed
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 {
		return Checkpoint{}, ErrMalformed
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return Checkpoint{}, ErrMalformed
	}
	incarnation, found := strings.CutPrefix(lines[3], extension)
	if !found || !ValidIncarnation(incarnation) {
		return Checkpoint{}, ErrMalformed
	}
	c := Checkpoint{Origin: lines[0], Head: Head{size, tlog.Hash(root)}, Incarnation: incarnation}
	if c.text() != text { // one form for one meaning: no leading zeros, no loose base64
		return Checkpoint{}, ErrMalformed
	}
	return c, nil
}

// Open reads a checkpoint that one of the keys has signed; keys are verifier
// keys of package note. The error is ErrMalformed or ErrSignature; a key that
// does not parse is another.
func Open(msg []byte, keys ...string) (Checkpoint, error) {
	c, err := Parse(msg)
	if err != nil {
		return Checkpoint{}, err
	}
	for _, key := range keys {
		verifier, err := note.NewVerifier(key)
		if err != nil {
			return Checkpoint{}, fmt.Errorf("checkpoint: key %.120q: %w", key, err)
		}
		if verifier.Name() != c.Origin {
			continue
		}
		signed, err := note.Open(msg, note.VerifierList(verifier))
		if err == nil && signed.Text == c.text() && canonical(signed.Sigs[0].Base64) {
			return c, nil
		}
	}
	return Checkpoint{}, ErrSignature
}

// canonical reports whether text is base64 as it is written, without bits beyond
// the last byte, which readers ignore.
func canonical(text string) bool {
	_, err := base64.StdEncoding.Strict().DecodeString(text)
	return err == nil
}
