package config

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/accord-fl/accord/internal/fault"
)

func TestCoordinatorErrors(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", "insecure: true\nlisten_address: x\n", ":2: listen_address: unknown key"},
		{"insecure not asked for", "listen: 127.0.0.1:7443\n", ": identity: want the folder of this node"},
		{"open to the network", "insecure: true\nlisten: 0.0.0.0:7443\n", ":2: listen: 0.0.0.0:7443 is not a loopback address"},
		{"open by name", "insecure: true\nlisten: example.org:7443\n", ":2: listen: example.org:7443 is not a loopback address"},
		{"every interface", "insecure: true\nlisten: :7443\n", ":2: listen: :7443 is not a loopback address"},
		{"no port", "insecure: true\nlisten: localhost\n", ":2: listen: want host:port"},
		{"port out of range", "insecure: true\nlisten: localhost:70000\n", ":2: listen: want host:port"},
		{"no folder", "insecure: true\ndir: ''\n", ":2: dir: want a folder"},
		{"test set", "insecure: true\ntest: {dataset: mnist}\n", ":2: test.data: mnist needs the folder"},
		{"level", "insecure: true\nlog_level: verbose\n", ":2: log_level: \"verbose\" is not known"},
		{"name", "insecure: true\nname: a/b\n", ":2: name: \"a/b\" cannot name a coordinator"},
		{"gossip everywhere", "insecure: true\ngossip: {bind: ':7946', keyring: k}\n", ":2: gossip.bind: want IP:port"},
		{"gossip without keys", "insecure: true\ngossip: {bind: '127.0.0.1:7946'}\n", ":2: gossip.keyring: want the file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "coordinator.yaml")
			write(t, path, c.text)
			_, err := LoadCoordinator(path)
			wantProblem(t, err, path+c.want)
		})
	}
}

func TestParticipantErrors(t *testing.T) {
	const good = "name: a\ninsecure: true\ndata: {dataset: digits}\n"
	for _, c := range []struct{ name, text, want string }{
		{"no name", "insecure: true\ndata: {dataset: digits}\n", ": name: \"\" cannot name a site"},
		{"no data", "name: a\ninsecure: true\n", ": data.dataset: \"\" is not known"},
		{"far coordinator", "name: a\ninsecure: true\ncoordinator: 192.0.2.1:7443\ndata: {dataset: digits}\n", ":3: coordinator: 192.0.2.1:7443 is not"},
		{"trainer", good + "trainer: torch\n", ":4: trainer: \"torch\" is not known; want builtin or exec"},
		{"exec without command", good + "trainer: exec\n", ": exec.command: want the program"},
		{"command never run", good + "exec: {command: [python3]}\n", ":4: exec.command: is never run"},
		{"command as a shell line", good + "trainer: exec\nexec: {command: python3 train.py}\n", ":5: exec.command: want a list, got the text"},
		{"no time", good + "trainer: exec\nexec: {command: [a], timeout: 0s}\n", ":5: exec.timeout: want a time above 0"},
		{"names of data sets", good + "announce: [/data/x]\n", ":4: announce: \"/data/x\" cannot name a data set"},
		{"gossip by name", good + "gossip: {bind: 'localhost:0', keyring: k}\n", ":4: gossip.bind: want IP:port"},
		{"gossip with nobody", good + "gossip: {bind: '127.0.0.1:0', keyring: k, join: [7946]}\n", ":4: gossip.join[0]: want text"},
		{"gossip with no port", good + "gossip: {bind: '127.0.0.1:0', keyring: k, join: [host]}\n", ":4: gossip.join: want host:port"},
		{"gossip advertised by name", good + "gossip: {bind: '127.0.0.1:0', keyring: k, advertise: 'x:1'}\n", ":4: gossip.advertise: want IP:port"},
		{"keys to share", good + "gossip: {bind: '127.0.0.1:0', keyring: k, share: true}\n", ":4: gossip.share: unknown key"},
		{"environment", good + "exec: {environment: {A: 1}}\n", ":4: exec.environment.A: want text"},
		{"pattern", good + "policy: {runs: ['[']}\n", ":4: policy.runs: \"[\" is no pattern"},
		{"epochs", good + "policy: {max_epochs: -1}\n", ":4: policy.max_epochs: want 1 or more"},
		{"parameters", good + "policy: {max_parameters: -1}\n", ":4: policy.max_parameters: want 1 or more"},
		{"cohort", good + "policy:\n  min_cohort: -1\n", ":5: policy.min_cohort: want 1 or more"},
		{"hours", good + "policy: {hours: [Mon 8-12], time_zone: UTC}\n", ":4: policy.hours: hours \"Mon 8-12\""},
		{"hours without a zone", good + "policy: {hours: ['Mon 08:00-12:00']}\n", ":4: policy.hours: hours need a time zone"},
		{"zone without hours", good + "policy: {time_zone: UTC}\n", ":4: policy.time_zone: is of no use"},
		{"approve", good + "policy: {approve: yes}\n", ":4: policy.approve: "},
		{"policy unknown", good + "policy: {min_sites: 2}\n", ":4: policy.min_sites: unknown key"},
		{"data set name", good + "datasets: {a b: {dataset: digits}}\n", ":4: datasets.a b: cannot name"},
		{"data set", good + "datasets: {x: {dataset: mnist}}\n", ":4: datasets.x.data: mnist needs the folder"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "participant.yaml")
			write(t, path, c.text)
			_, err := LoadParticipant(path)
			wantProblem(t, err, path+c.want)
		})
	}
}

func TestParticipantPathsAreTakenFromTheFilesFolder(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "participant.yaml")
	write(t, path, `name: a
insecure: true
dir: state
data: {dataset: "safetensors:shard.safetensors"}
trainer: exec
exec: {command: [python3, ./train.py, --epochs, "3"]}
`)
	cfg, err := LoadParticipant(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ got, want string }{
		"dir":     {cfg.Dir, filepath.Join(dir, "state")},
		"dataset": {cfg.Data.Dataset + " in " + cfg.Data.Dir, "safetensors:shard.safetensors in " + dir},
		"command": {strings.Join(cfg.Exec.Command, " "), "python3 " + filepath.Join(dir, "train.py") + " --epochs 3"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", name, c.got, c.want)
		}
	}
}

func wantProblem(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want %q", want)
	}
	if !strings.HasPrefix(err.Error(), want) || !errors.Is(err, fault.Input) {
		t.Errorf("got  %q\nwant %q, of class fault.Input", err, want)
	}
}
