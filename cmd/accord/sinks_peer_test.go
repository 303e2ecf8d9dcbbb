package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/report"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/optim"
	"github.com/accord-fl/accord/model/train"
	"github.com/accord-fl/accord/participant/policy"
)

// peerText is what the coordinator of peerSinks says, and how.
type peerText struct {
	text string
	code codes.Code // with which calls fail; OK: they succeed
}

// command runs a command line to its end, whatever that is. What it printed is
// one text: if it failed, what it says of that comes first.
func command(t *testing.T, args ...string) map[kind]string {
	t.Helper()
	r := accord(t, args...)
	if r.code != exitOK {
		return map[kind]string{terminal: r.stderr + r.stdout}
	}
	return map[kind]string{terminal: r.stdout + r.stderr}
}

// peerSinks are the verbs that show what a coordinator says, to one that says text
// in every field of every answer.
func peerSinks(t *testing.T) []sink {
	var says atomic.Pointer[peerText]
	says.Store(&peerText{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error { return answerAll(stream, *says.Load()) }))
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	address := listener.Addr().String()

	run := filepath.Join(t.TempDir(), "run.yaml")
	writeFile(t, run, "name: r\n")
	site := siteFile(t, t.TempDir(), t.TempDir(), address, "a", "trainer: exec\nexec: {command: ['true']}\n")
	var all []sink
	for _, verb := range [][]string{
		{"members"}, {"members", "--json"}, {"members", "release", "a"}, {"run", "list"}, {"run", "list", "--json"}, {"run", "show", "r"}, {"run", "show", "r", "--json"},
		{"run", "watch", "r"}, {"run", "submit", "-f", run}, {"run", "submit", "-f", run, "--json"}, {"federation", "refusals"}, {"federation", "refusals", "--json"},
	} {
		args := append(verb, "--coordinator", address)
		for _, code := range []codes.Code{codes.OK, codes.InvalidArgument, codes.Internal} {
			name := strings.Join(args[:len(args)-2], " ")
			if code != codes.OK {
				name += ", refused: " + code.String()
			}
			all = append(all, sink{name, func(t *testing.T, text string) map[kind]string {
				says.Store(&peerText{text, code})
				return command(t, args...)
			}})
		}
	}
	for _, verb := range [][]string{{"run", "stop", "r"}, {"run", "rm", "r", "--yes"}, {"revoke", "a"}, {"members", "--watch"}} {
		all = append(all, sink{strings.Join(verb, " ") + ", refused", func(t *testing.T, text string) map[kind]string {
			says.Store(&peerText{text, codes.PermissionDenied})
			return command(t, append(verb, "--coordinator", address)...)
		}})
	}
	all = append(all, sink{"participant, refused", func(t *testing.T, text string) map[kind]string {
		says.Store(&peerText{text, codes.InvalidArgument})
		// The log before the error is JSON, a line an event.
		r := accord(t, "participant", "-f", site, "--dir", t.TempDir())
		return map[kind]string{terminal: r.stderr[strings.Index(r.stderr, "accord: "):]}
	}})
	return all
}

// answerAll answers a call of any method.
func answerAll(stream grpc.ServerStream, says peerText) error {
	if says.code != codes.OK {
		return status.Error(says.code, says.text)
	}
	method, _ := grpc.MethodFromServerStream(stream)
	name := protoreflect.FullName(strings.ReplaceAll(strings.TrimPrefix(method, "/"), "/", "."))
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(name)
	if err != nil {
		return status.Error(codes.Unimplemented, err.Error())
	}
	m := d.(protoreflect.MethodDescriptor)
	for {
		err := stream.RecvMsg(dynamicpb.NewMessage(m.Input()))
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	answer := dynamicpb.NewMessage(m.Output())
	fillMessage(answer, strings.ToValidUTF8(says.text, "\uFFFD"))
	return stream.SendMsg(answer)
}

// fillMessage sets every text of m; lists get one element, enums the value of a
// run that failed, and numbers and flags stay 0.
func fillMessage(m protoreflect.Message, text string) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		var v protoreflect.Value
		switch {
		case f.IsMap():
			continue
		case f.Kind() == protoreflect.MessageKind && f.IsList():
			v = m.Mutable(f)
			fillMessage(v.List().AppendMutable().Message(), text)
			continue
		case f.Kind() == protoreflect.MessageKind:
			fillMessage(m.Mutable(f).Message(), text)
			continue
		case f.Kind() == protoreflect.StringKind:
			v = protoreflect.ValueOfString(text)
		case f.Kind() == protoreflect.EnumKind:
			v = protoreflect.ValueOfEnum(8)
		default:
			continue
		}
		if f.IsList() {
			m.Mutable(f).List().Append(v)
		} else {
			m.Set(f, v)
		}
	}
}

// fileSinks are the verbs that show what is in files that others have made.
func fileSinks() []sink {
	return []sink{
		{"model show, of tensors", func(t *testing.T, text string) map[kind]string {
			return command(t, "model", "show", tensorFile(t, text, "v"))
		}},
		{"model show --json, of metadata", func(t *testing.T, text string) map[kind]string {
			return map[kind]string{jsonText: mustAccord(t, "model", "show", "--json", tensorFile(t, "w", text))}
		}},
		{"model show, of a card", func(t *testing.T, text string) map[kind]string {
			file := tensorFile(t, "w", "v")
			var shown shownModel
			decode(t, mustAccord(t, "model", "show", "--json", file), &shown)
			card := filled[report.Model](text)
			card.Digest = shown.Digest
			writeJSON(t, filepath.Join(filepath.Dir(file), report.CardFile), card)
			return command(t, "model", "show", file)
		}},
		{"participant inspect", func(t *testing.T, text string) map[kind]string {
			return command(t, "participant", "inspect", "r", "-f", offeredSite(t, offeredTask(text)))
		}},
		{"participant inspect, of facts", func(t *testing.T, text string) map[kind]string {
			dir := t.TempDir()
			site := siteFile(t, dir, dir, "127.0.0.1:7443", "a", "policy: {approve: manual}\n")
			o := policy.Offer{Digest: strings.Repeat("0a", 32), Facts: filled[policy.Facts](text), Task: offeredTask("00.kernel"), At: time.Unix(1e9, 0)}
			writeJSON(t, filepath.Join(dir, "a", "offers", "r.json"), o)
			return command(t, "participant", "inspect", "r", "-f", site)
		}},
		{"participant approve --list", func(t *testing.T, text string) map[kind]string {
			site := offeredSite(t, offeredTask("00.kernel"))
			approval := filled[policy.Approval](text)
			writeJSON(t, filepath.Join(filepath.Dir(site), "a", "approvals", "r.json"), approval)
			return command(t, "participant", "approve", "--list", "-f", site)
		}},
		{"data stats", func(t *testing.T, text string) map[kind]string {
			return command(t, "data", "stats", "--dataset", "safetensors:"+namedSet(t, text))
		}},
		{"run submit, of a run file", func(t *testing.T, text string) map[kind]string {
			file := filepath.Join(t.TempDir(), "run.yaml")
			writeFile(t, file, fmt.Sprintf("name: r\nstrategy: %s\n%s: 1\n", inYAML(text), inYAML(text)))
			return command(t, "run", "submit", "-f", file)
		}},
		{"the command line", func(t *testing.T, text string) map[kind]string {
			return command(t, "model", "show", strings.ReplaceAll(text, "\x00", ""))
		}},
	}
}

// inYAML writes a text in double quotes.
func inYAML(text string) string {
	data, err := json.Marshal(text)
	if err != nil {
		panic(err) // a text is always representable
	}
	return string(data)
}

func writeJSON(t *testing.T, path string, v any) {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	makeFolder(t, filepath.Dir(path))
	writeFile(t, path, string(data))
}

// tensorFile writes a safetensors file with one tensor and one line of metadata.
func tensorFile(t *testing.T, tensor, metadata string) string {
	t.Helper()
	return rawTensors(t, map[string]any{
		"__metadata__": map[string]string{"key": metadata},
		tensor:         map[string]any{"dtype": "F32", "shape": []int{1}, "data_offsets": []int{0, 4}},
	}, make([]byte, 4))
}

// rawTensors writes a header as it is, and data.
func rawTensors(t *testing.T, header map[string]any, data []byte) string {
	t.Helper()
	text, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), report.ModelFile)
	writeFile(t, file, string(binary.LittleEndian.AppendUint64(nil, uint64(len(text))))+string(text)+string(data))
	return file
}

// namedSet writes a data set whose classes are called name.
func namedSet(t *testing.T, name string) string {
	t.Helper()
	names, err := json.Marshal([]string{name, "other"})
	if err != nil {
		t.Fatal(err)
	}
	return rawTensors(t, map[string]any{
		"__metadata__": map[string]string{"accord.classes": "2", "accord.class_names": string(names)},
		"train_images": map[string]any{"dtype": "U8", "shape": []int{2, 1, 1, 1}, "data_offsets": []int{0, 2}},
		"train_labels": map[string]any{"dtype": "I32", "shape": []int{2}, "data_offsets": []int{2, 10}},
	}, []byte{1, 2, 0, 0, 0, 0, 1, 0, 0, 0})
}

// offeredTask is a task of a run r whose tensor is called tensor.
func offeredTask(tensor string) exchange.Task {
	return exchange.Task{
		ID: "r/1.0/train/a", Run: "r", Round: 1, Rounds: 1, Exchange: exchange.Training, Participant: "a",
		Model:    exchange.Artefact{Digest: strings.Repeat("0a", 32), Bytes: 100},
		Contract: model.Contract{Tensors: []model.TensorSpec{{Name: tensor, DType: "F32", Shape: []int{1}}}},
		Plan:     train.Plan{Epochs: 1, Batch: 1, Optimizer: optim.Defaults(optim.SGD)}, Strategy: "fedavg",
	}
}

// offeredSite writes the folder of a site that was offered a task, and returns its
// configuration.
func offeredSite(t *testing.T, task exchange.Task) string {
	t.Helper()
	dir := t.TempDir()
	site := siteFile(t, dir, dir, "127.0.0.1:7443", "a", "policy: {approve: manual}\n")
	f := policy.FactsOf(task, "builtin")
	writeJSON(t, filepath.Join(dir, "a", "offers", "r.json"), policy.Offer{Digest: f.Digest(), Facts: f, Task: task, At: time.Unix(1e9, 0)})
	return site
}
