package wiretest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"

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

// within tells where want has something that got has not; got may have more.
func within(got, want any, path string) error {
	section, ok := want.(map[string]any)
	if !ok {
		if !reflect.DeepEqual(got, want) {
			return fmt.Errorf("%s: got %v, want %v", path, got, want)
		}
		return nil
	}
	has, ok := got.(map[string]any)
	if !ok {
		return fmt.Errorf("%s: got %v, want %v", path, got, want)
	}
	for key, value := range section {
		if err := within(has[key], value, path+"."+key); err != nil {
			return err
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
		return fmt.Errorf("%v: %w", l.Stream, err)
	}
	return nil
}
