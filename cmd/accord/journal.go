package main

import (
	"fmt"
	"io"
	"os"

	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"
)

// isJournal reports whether what is written to w goes to systemd's journal: then
// systemd has named the file behind w in the environment.
func isJournal(w io.Writer) bool {
	f, ok := w.(*os.File)
	stream := os.Getenv("JOURNAL_STREAM")
	return ok && stream != "" && stream == identity(f)
}

// journalEncoder marks each line with its priority, as sd-daemon(3) has it.
type journalEncoder struct {
	zapcore.Encoder
	lines buffer.Pool
}

// Clone implements zapcore.Encoder.
func (e journalEncoder) Clone() zapcore.Encoder {
	return journalEncoder{e.Encoder.Clone(), e.lines}
}

// EncodeEntry implements zapcore.Encoder.
func (e journalEncoder) EncodeEntry(entry zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	line, err := e.Encoder.EncodeEntry(entry, fields)
	if err != nil {
		return nil, err
	}
	defer line.Free()
	marked := e.lines.Get()
	marked.AppendString(fmt.Sprintf("<%d>", priority(entry.Level)))
	_, err = marked.Write(line.Bytes())
	return marked, err
}

// priorityError is that of an error, in syslog(3)'s numbers.
const priorityError = 3

func priority(l zapcore.Level) int {
	switch {
	case l < zapcore.InfoLevel:
		return 7
	case l < zapcore.WarnLevel:
		return 6
	case l < zapcore.ErrorLevel:
		return 4
	default:
		return priorityError
	}
}
