package coordinator

import (
	"encoding/json"
	"testing"

	"github.com/accord-fl/accord/model"
)

// FuzzDefinition: what a journal says of a run is the same when written again.
func FuzzDefinition(f *testing.F) {
	d := DefaultDefinition()
	d.Spec = model.Reference()
	d.Contract = d.Spec.Contract()
	seed, err := json.Marshal(d)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		var d Definition
		if json.Unmarshal(data, &d) != nil || d.Validate() != nil {
			return
		}
		again, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		var read Definition
		if err := json.Unmarshal(again, &read); err != nil || !read.Equal(d) {
			t.Errorf("%s: %v, or another run", again, err)
		}
	})
}
