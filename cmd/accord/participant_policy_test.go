package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/participant"
	"github.com/accord-fl/accord/participant/policy"
)

// A run that one of its two sites must release waits until a person does,
// beyond all its retries; before that, inspect shows what would leave.
func TestRunWaitsForApproval(t *testing.T) {
	dir := t.TempDir()
	runFile, shards := filepath.Join(dir, "run.yaml"), filepath.Join(dir, "shards")
	writeFile(t, runFile, `
name: demo
rounds: 1
min_sites: 2
weighting: uniform
retries: 0
window: {minimum: 2}
local: {epochs: 1, batch: 10, optimizer: sgd, lr: 0.1}
`)
	mustAccord(t, "data", "partition", "--sites", "2", "--samples-per-site", "20", "--test-samples", "50", "--out", shards)
	address, stop := startCoordinator(t, dir, shards)
	defer stop()
	mustAccord(t, "run", "submit", "-f", runFile, "--coordinator", address)

	free, careful := siteFile(t, dir, shards, address, "site-01", ""), siteFile(t, dir, shards, address, "site-02",
		"policy: {approve: manual, share_samples: false, share_metrics: false, min_cohort: 2}\n")
	held := newLogBuffer(regexp.MustCompile(`(task not allowed.*"rule":"approve")`))
	defer background(t, newLogBuffer(held.want), "participant", "-f", free)()
	leave := background(t, held, "participant", "-f", careful)
	defer leave()
	held.wait(t)

	var in participant.Inspection
	decode(t, mustAccord(t, "participant", "inspect", "demo", "-f", careful, "--json"), &in)
	if in.Rule != policy.RuleApprove || in.Update.Samples || len(in.Update.Metrics) != 0 || len(in.Update.Tensors) != 10 || in.Hello.Name != "site-02" || in.Hello.Capabilities.SamplesPerSecond <= 0 {
		t.Errorf("got inspection %+v, want a run that waits for approval and an update of ten tensors only", in)
	}
	if out := mustAccord(t, "participant", "inspect", "demo", "-f", careful); !strings.Contains(out, "00.kernel") || !strings.Contains(out, "--digest "+in.Digest[:12]) ||
		!strings.Contains(out, "random id of its process") || !strings.Contains(out, in.Hello.Federation) {
		t.Errorf("inspect shows:\n%s\nwant the tensors, how to approve and all of the hello", out)
	}
	var run coordinator.RunStatus
	decode(t, mustAccord(t, "run", "show", "demo", "--coordinator", address, "--json"), &run)
	if run.Phase.Final() {
		t.Fatalf("the run did not wait: %+v", run)
	}

	mustAccord(t, "participant", "approve", "demo", "-f", careful, "--by", "Dr. A. Meyer", "--digest", in.Digest[:12])
	if out := mustAccord(t, "participant", "approve", "--list", "-f", careful); !strings.Contains(out, "Dr. A. Meyer") {
		t.Errorf("the list does not show who approved:\n%s", out)
	}
	mustAccord(t, "run", "watch", "demo", "--coordinator", address)
	leave()
	log, err := os.ReadFile(filepath.Join(dir, "site-02", policy.DecisionsFile))
	if err != nil {
		t.Fatal(err)
	}
	if text := string(log); !strings.Contains(text, `"verdict":"hold"`) || !strings.Contains(text, `"verdict":"allow","approved_by":"Dr. A. Meyer"`) {
		t.Errorf("the site noted:\n%s", text)
	}
	mustAccord(t, "participant", "approve", "demo", "-f", careful, "--revoke")
	if r := accord(t, "participant", "approve", "demo", "-f", careful, "--revoke"); r.code != exitInput {
		t.Errorf("revoked twice: exit code %d, want %d", r.code, exitInput)
	}
}

// siteFile writes a participant's configuration.
func siteFile(t *testing.T, dir, shards, address, name, more string) string {
	t.Helper()
	file := filepath.Join(dir, name+".yaml")
	writeFile(t, file, fmt.Sprintf("name: %s\ncoordinator: %s\ninsecure: true\ndir: %s\ndata: {dataset: %q}\n%s",
		name, address, name, "safetensors:"+filepath.Join(shards, name+".safetensors"), more))
	return file
}

func TestApproveRefusesWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	file := siteFile(t, dir, dir, "127.0.0.1:7443", "site-01", "")
	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"not offered", []string{"approve", "demo", "--by", "x"}, exitInput, "was not offered"},
		{"no run", []string{"approve", "--by", "x"}, exitUsage, "want the name of one run"},
		{"nobody", []string{"approve", "demo"}, exitUsage, "want the name of who approves"},
		{"two lines", []string{"approve", "demo", "--by", "x\ny"}, exitUsage, "one line"},
		{"a path", []string{"approve", "../demo", "--by", "x"}, exitInput, "cannot name a run"},
		{"revoke a path", []string{"approve", "../demo", "--revoke"}, exitInput, "cannot name a run"},
		{"list and revoke", []string{"approve", "demo", "--list", "--revoke"}, exitUsage, "--list and --revoke cannot be given together"},
		{"inspect what was not offered", []string{"inspect", "demo"}, exitInput, "was not offered"},
	} {
		r := accord(t, append([]string{"participant"}, append(c.args, "-f", file)...)...)
		if r.code != c.code || !strings.Contains(r.stderr, c.want) {
			t.Errorf("%s: got exit code %d and %q, want %d and %q", c.name, r.code, r.stderr, c.code, c.want)
		}
	}
	if out := mustAccord(t, "participant", "approve", "--list", "-f", file); !strings.Contains(out, "No run was offered") {
		t.Errorf("got %q", out)
	}
}
