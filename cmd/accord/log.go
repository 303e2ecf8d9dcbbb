package main

import (
	"io"
	"os"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"
	"golang.org/x/term"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/quote"
)

// newLog returns a logger that writes to w from level on: lines for people on
// a terminal, one JSON object a line elsewhere. The journal of systemd gets
// the level as it wants it, and puts the time to each line by itself.
func newLog(w io.Writer, level string) (*zap.Logger, error) {
	from, err := zapcore.ParseLevel(level)
	if err != nil {
		return nil, fault.Inputf("log_level: %w", err)
	}
	return zap.New(zapcore.NewCore(logEncoder(w), zapcore.Lock(zapcore.AddSync(w)), from)), nil
}

// logEncoder returns the encoder for w. What it writes can be shown.
func logEncoder(w io.Writer) zapcore.Encoder { return quoting(plainEncoder(w)) }

func quoting(e zapcore.Encoder) zapcore.Encoder { return quotingEncoder{e, buffer.NewPool()} }

// quotingEncoder escapes what a terminal or a person could take for something
// else. Fields are JSON in all encoders.
type quotingEncoder struct {
	zapcore.Encoder
	lines buffer.Pool
}

// Clone implements zapcore.Encoder.
func (e quotingEncoder) Clone() zapcore.Encoder { return quotingEncoder{e.Encoder.Clone(), e.lines} }

// EncodeEntry implements zapcore.Encoder.
func (e quotingEncoder) EncodeEntry(entry zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	entry.Message = quote.Text(entry.Message)
	line, err := e.Encoder.EncodeEntry(entry, fields)
	if err != nil {
		return nil, err
	}
	defer line.Free()
	shown := e.lines.Get()
	_, err = shown.Write(quote.Escaped(line.Bytes()))
	return shown, err
}

func plainEncoder(w io.Writer) zapcore.Encoder {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return consoleEncoder(zapcore.CapitalColorLevelEncoder)
	}
	config := zapcore.EncoderConfig{
		TimeKey: "time", EncodeTime: zapcore.RFC3339NanoTimeEncoder,
		LevelKey: "level", EncodeLevel: zapcore.LowercaseLevelEncoder,
		NameKey: "from", EncodeName: zapcore.FullNameEncoder,
		MessageKey: "event", EncodeDuration: zapcore.StringDurationEncoder,
	}
	if !isJournal(w) {
		return zapcore.NewJSONEncoder(config)
	}
	config.TimeKey = ""
	return journalEncoder{zapcore.NewJSONEncoder(config), buffer.NewPool()}
}

// consoleEncoder writes for a person who watches.
func consoleEncoder(level zapcore.LevelEncoder) zapcore.Encoder {
	return zapcore.NewConsoleEncoder(zapcore.EncoderConfig{
		TimeKey: "time", EncodeTime: zapcore.TimeEncoderOfLayout(time.TimeOnly),
		LevelKey: "level", EncodeLevel: level,
		MessageKey: "event", EncodeDuration: zapcore.StringDurationEncoder, ConsoleSeparator: "  ",
	})
}
