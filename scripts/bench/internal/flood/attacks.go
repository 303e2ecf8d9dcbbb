package flood

import (
	"cmp"
	"maps"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"
)

// attack is a call that a coordinator must refuse.
type attack struct {
	method   string
	messages [][]byte
	rare     bool // costs this side, too
}

const (
	federation = "/accord.v1.FederationService/"
	admin      = "/accord.v1.AdminService/"
	enrollment = "/accord.v1.EnrollmentService/"
)

// attacks are all kinds of calls, the cheapest first.
func attacks() []attack {
	garbage := []byte("\xff\xff\xff\xff no message")
	var all []attack
	for _, method := range []string{
		federation + "Attend", federation + "Download", federation + "Upload",
		admin + "SubmitRun", admin + "GetRun", admin + "WatchRun", admin + "StopRun",
		admin + "Invite", admin + "Revoke", enrollment + "Enroll", enrollment + "Renew",
		admin + "Nothing", "/nobody.v1.Service/Call",
	} {
		all = append(all, attack{method: method, messages: [][]byte{garbage}})
	}
	name := text(1, "../../etc/passwd")
	return append(all,
		attack{method: federation + "Attend", messages: [][]byte{text(2, "")}},                         // a renewal before the hello
		attack{method: federation + "Attend", messages: [][]byte{text(1, string(name))}},               // a hello with a path for a name
		attack{method: federation + "Attend"},                                                          // no word
		attack{method: federation + "Download", messages: [][]byte{name}},                              // a digest that is a path
		attack{method: federation + "Upload", messages: [][]byte{text(2, "chunk")}},                    // bytes before the header
		attack{method: federation + "Upload", messages: [][]byte{text(1, string(name)), text(2, "x")}}, // a header without a digest
		attack{method: admin + "GetRun", messages: [][]byte{name}},
		attack{method: admin + "StopRun", messages: [][]byte{name}},
		attack{method: admin + "SubmitRun", messages: [][]byte{text(2, "chunk")}},
		attack{method: admin + "SubmitRun", messages: [][]byte{text(1, string(text(1, "rounds: [")))}},
		attack{method: admin + "SubmitRun", messages: [][]byte{text(1, string(text(1, string(nested()))))}},
		attack{method: federation + "Attend", messages: [][]byte{make([]byte, 5<<20)}, rare: true}, // oversized
		attack{method: admin + "GetRun", messages: [][]byte{make([]byte, 5<<20)}, rare: true},
	)
}

// nested is YAML that takes a parser long.
func nested() []byte { return slices.Repeat([]byte("- "), 20_000) }

// endless are streams that go on and on; the last message is repeated.
func endless() []attack {
	chunk := text(2, string(make([]byte, 1<<10)))
	return []attack{
		{method: federation + "Attend", messages: [][]byte{{}}},
		{method: federation + "Upload", messages: [][]byte{chunk}},
		{method: admin + "SubmitRun", messages: [][]byte{text(1, string(text(1, "seed: 1"))), chunk}},
	}
}

// text is a message with one field of bytes.
func text(field protowire.Number, value string) []byte {
	return protowire.AppendString(protowire.AppendTag(nil, field, protowire.BytesType), value)
}

// byCount sorts outcomes, the most frequent first.
func byCount(outcomes map[codes.Code]int) []codes.Code {
	return slices.SortedFunc(maps.Keys(outcomes), func(a, b codes.Code) int {
		return cmp.Or(cmp.Compare(outcomes[b], outcomes[a]), cmp.Compare(a, b))
	})
}
