package gossip

import (
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// maxLog bounds a line of memberlist's, which may quote what came from
// outside.
const maxLog = 300

// logWriter takes memberlist's lines into the log.
type logWriter struct{ log *zap.Logger }

// sampled lets a flood of strange packets through ten lines a second, and
// every thousandth from there on.
func sampled(log *zap.Logger) *zap.Logger {
	return log.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(core, time.Second, 10, 1000)
	}))
}

// Write takes one line, "[LEVEL] memberlist: text". What it thinks worth an
// info, the log has from this package.
func (w logWriter) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	level := zapcore.DebugLevel
	for mark, is := range map[string]zapcore.Level{"[INFO] ": zapcore.DebugLevel, "[WARN] ": zapcore.WarnLevel, "[ERR] ": zapcore.WarnLevel} {
		if rest, ok := strings.CutPrefix(text, mark); ok {
			level, text = is, rest
		}
	}
	text = strings.TrimPrefix(strings.TrimPrefix(text, "[DEBUG] "), "memberlist: ")
	if len(text) > maxLog {
		text = text[:maxLog] + "…"
	}
	w.log.Log(level, "memberlist", zap.String("text", text))
	return len(line), nil
}
