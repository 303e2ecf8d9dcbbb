package main

import (
	"io"
	"os"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/term"

	"github.com/accord-fl/accord/internal/fault"
)

// newLog returns a logger that writes to w from level on: lines for people on
// a terminal, one JSON object a line elsewhere.
func newLog(w io.Writer, level string) (*zap.Logger, error) {
	from, err := zapcore.ParseLevel(level)
	if err != nil {
		return nil, fault.Inputf("log_level: %w", err)
	}
	encoder := zapcore.NewJSONEncoder(zapcore.EncoderConfig{
		TimeKey: "time", EncodeTime: zapcore.RFC3339NanoTimeEncoder,
		LevelKey: "level", EncodeLevel: zapcore.LowercaseLevelEncoder,
		NameKey: "from", EncodeName: zapcore.FullNameEncoder,
		MessageKey: "event", EncodeDuration: zapcore.StringDurationEncoder,
	})
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		encoder = zapcore.NewConsoleEncoder(zapcore.EncoderConfig{
			TimeKey: "time", EncodeTime: zapcore.TimeEncoderOfLayout(time.TimeOnly),
			LevelKey: "level", EncodeLevel: zapcore.CapitalColorLevelEncoder,
			MessageKey: "event", EncodeDuration: zapcore.StringDurationEncoder, ConsoleSeparator: "  ",
		})
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(w)), from)), nil
}
