package checkpoint

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

func newKey(t testing.TB, origin string) *Key {
	t.Helper()
	key, err := NewKey(origin)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func signed(t testing.TB, key *Key, c Checkpoint) []byte {
	t.Helper()
	msg, err := key.Sign(c)
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

func TestSignAndOpen(t *testing.T) {
	key := newKey(t, NewOrigin())
	want := Checkpoint{key.Origin(), Head{1742, tlog.RecordHash([]byte("x"))}, NewIncarnation()}
	msg := signed(t, key, want)

	again, err := ParseKey(key.Bytes())
	if err != nil || again.Verifier() != key.Verifier() {
		t.Fatalf("the key read back: error %v", err)
	}
	other := newKey(t, key.Origin())
	for name, c := range map[string]struct {
		msg  []byte
		keys []string
		err  error
	}{
		"one key":          {msg, []string{key.Verifier()}, nil},
		"a key before":     {msg, []string{other.Verifier(), key.Verifier()}, nil},
		"another key":      {msg, []string{other.Verifier()}, ErrSignature},
		"no key":           {msg, nil, ErrSignature},
		"another's origin": {msg, []string{newKey(t, NewOrigin()).Verifier()}, ErrSignature},
		"another size":     {bytes.Replace(msg, []byte("1742"), []byte("1743"), 1), []string{key.Verifier()}, ErrSignature},
		"a leading zero":   {bytes.Replace(msg, []byte("1742"), []byte("01742"), 1), []string{key.Verifier()}, ErrMalformed},
		"no signature":     {msg[:bytes.Index(msg, []byte("\n\n"))], []string{key.Verifier()}, ErrMalformed},
		"too long":         {append(bytes.Clone(msg), bytes.Repeat([]byte("x"), MaxBytes)...), []string{key.Verifier()}, ErrMalformed},
		"another text":     {[]byte("go.sum database tree\n1\nx\n\n— x y\n"), []string{key.Verifier()}, ErrMalformed},
	} {
		got, err := Open(c.msg, c.keys...)
		if !errors.Is(err, c.err) || err == nil && got != want {
			t.Errorf("%s: got %+v, error %v, want error %v", name, got, err, c.err)
		}
	}
	if got, err := Parse(msg); err != nil || got != want {
		t.Errorf("Parse: got %+v, error %v", got, err)
	}
}

// A flipped bit anywhere never makes another checkpoint of the one that was
// signed. (The last character of a signature in base64 has bits to spare.)
func TestEveryFlippedBitIsNoticed(t *testing.T) {
	key := newKey(t, NewOrigin())
	c := Checkpoint{key.Origin(), Head{1742, tlog.RecordHash([]byte("x"))}, NewIncarnation()}
	msg := signed(t, key, c)
	for i := range msg {
		for bit := range 8 {
			flipped := bytes.Clone(msg)
			flipped[i] ^= 1 << bit
			if got, err := Open(flipped, key.Verifier()); err == nil && got != c {
				t.Errorf("byte %d, bit %d: opened as %+v", i, bit, got)
			}
		}
	}
}

func TestKeysThatDoNotFit(t *testing.T) {
	key := newKey(t, NewOrigin())
	for name, file := range map[string]string{
		"empty":         "",
		"a public key":  key.Verifier(),
		"another name":  strings.Replace(string(key.Bytes()), "accord-journal/", "accord-journal-", 1),
		"a cut one":     string(key.Bytes()[:len(key.Bytes())-9]),
		"two lines":     string(key.Bytes()) + "x\n",
		"a flipped bit": strings.Replace(string(key.Bytes()), "PRIVATE", "PRIVATD", 1),
	} {
		if _, err := ParseKey([]byte(file)); err == nil {
			t.Errorf("%s: taken for a key", name)
		}
	}
	for name, c := range map[string]Checkpoint{
		"another origin":        {NewOrigin(), Head{}, NewIncarnation()},
		"no incarnation":        {key.Origin(), Head{}, ""},
		"a negative size":       {key.Origin(), Head{Size: -1}, NewIncarnation()},
		"a line in incarnation": {key.Origin(), Head{}, "0123\n5678901234"},
	} {
		if _, err := key.Sign(c); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
}

func FuzzOpen(f *testing.F) {
	key := newKey(f, NewOrigin())
	f.Add(signed(f, key, Checkpoint{key.Origin(), Head{3, tlog.Hash{}}, NewIncarnation()}))
	f.Add([]byte("accord-journal/x\n-1\n\n\n\n"))
	f.Fuzz(func(t *testing.T, msg []byte) {
		c, err := Open(msg, key.Verifier())
		if err == nil {
			if again, err := Parse(msg); err != nil || again != c {
				t.Errorf("Parse: %+v, error %v, Open: %+v", again, err, c)
			}
		}
	})
}
