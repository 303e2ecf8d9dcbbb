package wire_test

import (
	"errors"
	"testing"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/wire"
)

func TestCheckPlain(t *testing.T) {
	tests := []struct {
		addr     string
		insecure bool
		ok       bool
	}{
		{"127.0.0.1:7700", true, true},
		{"127.9.9.9:7700", true, true},
		{"localhost:0", true, true},
		{"[::1]:7700", true, true},
		{"127.0.0.1:7700", false, false},
		{":7700", true, false},
		{"0.0.0.0:7700", true, false},
		{"[::]:7700", true, false},
		{"192.168.1.7:7700", true, false},
		{"localhost.example.org:7700", true, false},
		{"127.0.0.1.example.org:7700", true, false},
		{"127.0.0.1", true, false},
		{"", true, false},
	}
	for _, test := range tests {
		err := wire.CheckPlain(test.addr, test.insecure)
		if (err == nil) != test.ok {
			t.Errorf("CheckPlain(%q, %v) = %v, want ok = %v", test.addr, test.insecure, err, test.ok)
		}
		if err != nil && !errors.Is(err, fault.Input) {
			t.Errorf("CheckPlain(%q, %v) = %v, want class fault.Input", test.addr, test.insecure, err)
		}
	}
}
