package gossip

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/accord-fl/accord/internal/atomicfile"
	"github.com/accord-fl/accord/internal/fault"
)

// Keys encrypt gossip: with the first, everything that is sent; what comes
// may be encrypted with any of them. Keys are changed in steps: the new one
// joins the ring everywhere, becomes the first everywhere, and the old one
// goes.
type Keys [][]byte

// keySize is the size of a key in bytes, for AES-256.
const keySize = 32

// maxKeys bounds a keyring.
const maxKeys = 8

// NewKey draws a key.
func NewKey() []byte {
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails
	return key
}

// Validate reports a ring that is empty, too large, or has a key of the wrong
// size. It changes nothing.
func (k Keys) Validate() error {
	if len(k) == 0 || len(k) > maxKeys {
		return fault.Inputf("keyring: %d keys, want 1 to %d", len(k), maxKeys)
	}
	for n, key := range k {
		if len(key) != keySize {
			return fault.Inputf("keyring: key %d has %d bytes, want %d", n+1, len(key), keySize)
		}
	}
	return nil
}

// Equal reports whether two rings hold the same keys in the same order.
func (k Keys) Equal(other Keys) bool { return slices.EqualFunc(k, other, bytes.Equal) }

// has reports whether the ring holds a key.
func (k Keys) has(key []byte) bool {
	return slices.ContainsFunc(k, func(own []byte) bool { return bytes.Equal(own, key) })
}

// ReadKeys reads a keyring: a key a line in base64, the first line's is the
// one to send with; lines that start with # are comments. Errors are of class
// fault.Input and never tell a key.
func ReadKeys(r io.Reader) (Keys, error) {
	var keys Keys
	lines := bufio.NewScanner(io.LimitReader(r, 64<<10))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			return nil, fault.Inputf("keyring: line %d is not base64", n)
		}
		keys = append(keys, key)
	}
	if err := lines.Err(); err != nil {
		return nil, fault.As(fault.Input, fmt.Errorf("keyring: %w", err))
	}
	return keys, keys.Validate()
}

// LoadKeys reads the keyring file at path, which only its owner may read.
func LoadKeys(path string) (_ Keys, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.As(fault.Input, fmt.Errorf("keyring: %w", err))
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, fault.As(fault.Input, fmt.Errorf("keyring: %w", err))
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fault.Inputf("keyring: %s may be read by others than its owner: chmod 600 %s", path, path)
	}
	keys, err := ReadKeys(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return keys, nil
}

// Save writes the keyring file at path, for its owner alone, whole or not at
// all.
func (k Keys) Save(path string) error {
	if err := k.Validate(); err != nil {
		return err
	}
	var text bytes.Buffer
	for _, key := range k {
		fmt.Fprintln(&text, base64.StdEncoding.EncodeToString(key))
	}
	return atomicfile.WriteSecret(path, text.Bytes())
}
