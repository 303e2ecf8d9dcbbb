package fault

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestClassSurvivesWrappingAndHidesInMessage(t *testing.T) {
	err := fmt.Errorf("load: %w", Inputf("image 7 is cut short: %w", io.ErrUnexpectedEOF))
	if !errors.Is(err, Input) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v: want class Input and the cause", err)
	}
	if errors.Is(err, Usage) {
		t.Error("an Input error also counts as Usage")
	}
	if got, want := err.Error(), "load: image 7 is cut short: unexpected EOF"; got != want {
		t.Errorf("message: got %q, want %q", got, want)
	}
	if As(Input, nil) != nil {
		t.Error("As(class, nil) is not nil")
	}
}
