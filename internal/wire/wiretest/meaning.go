package wiretest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
)

// service is whose conversations are kept.
const service = "accord.v1.FederationService"

// Means returns what the line's bytes mean, as JSON has it: what is called a
// payload is the document that it holds.
func (l Line) Means() (any, error) {
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(service)
	if err != nil {
		return nil, err
	}
	method := d.(protoreflect.ServiceDescriptor).Methods().ByName(protoreflect.Name(l.Stream.Method))
	if method == nil {
		return nil, fmt.Errorf("%s has no method %s", service, l.Stream.Method)
	}
	kind := method.Output()
	if l.Up {
		kind = method.Input()
	}
	m := dynamicpb.NewMessage(kind)
	if err := proto.Unmarshal(l.Data, m); err != nil {
		return nil, fmt.Errorf("%v: %w", l.Stream, err)
	}
	text, err := protojson.Marshal(m)
	if err != nil {
		return nil, err
	}
	var means any
	if err := json.Unmarshal(text, &means); err != nil {
		return nil, err
	}
	return means, openPayloads(means)
}

// openPayloads puts documents in the place of their bytes.
func openPayloads(v any) error {
	section, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	for key, value := range section {
		if key != "payload" {
			if err := openPayloads(value); err != nil {
				return err
			}
			continue
		}
		data, err := base64.StdEncoding.DecodeString(fmt.Sprint(value))
		if err != nil {
			return err
		}
		var document any
		if err := json.Unmarshal(data, &document); err != nil {
			return err
		}
		section[key] = document
	}
	return nil
}

// within tells where want has something that got has not; got may have more,
// also within lists.
func within(got, want any, path string) error {
	switch want := want.(type) {
	case map[string]any:
		has, _ := got.(map[string]any)
		for key, value := range want {
			if err := within(has[key], value, path+"."+key); err != nil {
				return err
			}
		}
	case []any:
		has, _ := got.([]any)
		for n, value := range want {
			at := slices.IndexFunc(has, func(v any) bool { return within(v, value, path) == nil })
			if at < 0 {
				return fmt.Errorf("%s: got %v, want %v as number %d", path, got, value, n+1)
			}
			has = has[at+1:]
		}
	default:
		if !reflect.DeepEqual(got, want) {
			return fmt.Errorf("%s: got %v, want %v", path, got, want)
		}
	}
	return nil
}

// says checks that data says at least what the line does.
func (l Line) says(data []byte) error {
	want, err := l.Means()
	if err != nil {
		return err
	}
	now := l
	now.Data = data
	got, err := now.Means()
	if err != nil {
		return err
	}
	if err := within(got, want, ""); err != nil {
		return fmt.Errorf("%v: %s: %w", l.Stream, compact(got), err)
	}
	return nil
}
