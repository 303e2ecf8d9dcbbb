package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// beAccord makes the test binary behave as accord.
const beAccord = "ACCORD_TEST_BE_ACCORD"

func TestMain(m *testing.M) {
	if os.Getenv(beAccord) != "" {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
	}
	if how := os.Getenv(actAs); how != "" {
		os.Exit(act(how))
	}
	os.Exit(m.Run())
}

// ownAddress is one of this machine that is not loopback: to loopback nobody
// uses a proxy.
func ownAddress(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if ip, ok := a.(*net.IPNet); ok && !ip.IP.IsLoopback() && ip.IP.To4() != nil {
			return ip.IP.String()
		}
	}
	t.Skip("this machine has no address but loopback")
	return ""
}

// proxy speaks CONNECT to who knows its password, and notes where to.
func proxy(t *testing.T, connected chan<- string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte("site:secret"))
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				r := bufio.NewReader(conn)
				request, err := http.ReadRequest(r)
				if err != nil || request.Method != http.MethodConnect {
					return
				}
				if request.Header.Get("Proxy-Authorization") != want {
					_, _ = io.WriteString(conn, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
					return
				}
				far, err := net.Dial("tcp", request.Host)
				if err != nil {
					return
				}
				defer far.Close()
				connected <- request.Host
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
				go func() { _, _ = io.Copy(far, r) }()
				_, _ = io.Copy(conn, far)
			}()
		}
	}()
	return l.Addr().String()
}

func TestProxiesThatCanNotBeUsed(t *testing.T) {
	for proxy, want := range map[string]string{
		"socks5://proxy.example:1080":      "spoken to by socks5 cannot be used",
		"https://u:secret@proxy.example:1": "spoken to by https cannot be used",
		"http://u:se cret@proxy.example:1": "is no address of a proxy",
		"http://u:secret@127.0.0.1:1":      "through the proxy http://u:xxxxx@127.0.0.1:1",
	} {
		dir := t.TempDir()
		mustAccord(t, "federation", "init", filepath.Join(dir, "heart"), "--address", "fl.example.org:7443")
		cmd := exec.Command(os.Args[0], "members", "--identity", filepath.Join(dir, "heart", "admin"))
		cmd.Env = append(os.Environ(), beAccord+"=1", "HTTPS_PROXY="+proxy, "NO_PROXY=")
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) || strings.Contains(string(out), "cret") {
			t.Errorf("%s: %v, want %q in\n%s", proxy, err, want, out)
		}
	}
}

// A site behind a firewall joins and attends through its proxy.
func TestThroughAProxy(t *testing.T) {
	f := startFederation(t, "--address", net.JoinHostPort(ownAddress(t), "1"))
	_, port, err := net.SplitHostPort(f.address)
	if err != nil {
		t.Fatal(err)
	}
	outside := net.JoinHostPort(ownAddress(t), port)
	file := filepath.Join(f.dir, "heart", "coordinator", "coordinator.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, file, strings.Replace(string(text), `"`+f.address+`"`, `":`+port+`"`, 1))
	f.start()
	var invitation struct{ Site, Token, Expires string }
	decode(t, mustAccord(t, "invite", "site-01", f.identity, "--coordinator", outside, "--json"), &invitation)

	connected := make(chan string, 16)
	address := proxy(t, connected)
	behind := func(password string, args ...string) *exec.Cmd {
		cmd := exec.Command(os.Args[0], args...)
		cmd.Env = append(os.Environ(), beAccord+"=1", "HTTPS_PROXY=http://site:"+password+"@"+address, "NO_PROXY=")
		return cmd
	}
	dir := filepath.Join(f.dir, "site-01")
	join := []string{"participant", "join", invitation.Token, "--dir", dir, "--dataset", f.data("site-01")}
	if out, err := behind("wrong", join...).CombinedOutput(); err == nil || !strings.Contains(string(out), "HTTPS_PROXY names answers 407") {
		t.Errorf("a wrong password: %v\n%s", err, out)
	}
	if out, err := behind("secret", join...).CombinedOutput(); err != nil {
		t.Fatalf("join: %v\n%s", err, out)
	}
	if got := <-connected; got != outside {
		t.Errorf("the proxy connected to %s, want %s", got, outside)
	}
	attending := newLogBuffer(regexp.MustCompile(`"event":"(attending)"`))
	cmd := behind("secret", "participant", "-f", filepath.Join(dir, "participant.yaml"))
	cmd.Stderr = attending
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	attending.wait(t)
	if got := <-connected; got != outside {
		t.Errorf("the proxy connected to %s, want %s", got, outside)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // killed
}
