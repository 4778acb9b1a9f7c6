package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

// nodeKey is a DHT key, and its hex as public lists have it.
func nodeKey(b byte) (packets.PublicKey, string) {
	k := packets.PublicKey{b, 31: 7}
	return k, strings.ToUpper(k.Hex())
}

func TestParseNodes(t *testing.T) {
	a, hexA := nodeKey(0xA1)
	b, hexB := nodeKey(0xB2)
	list := fmt.Sprintf(`{"last_scan":1763000000,"last_refresh":1763000000,"nodes":[
		{"ipv4":"192.0.2.1","ipv6":"2001:db8::1","port":33445,"tcp_ports":[443,3389],"public_key":%[1]q,
		 "maintainer":"x","location":"CH","status_udp":true,"status_tcp":false,"version":"1000002018","motd":"hi","last_ping":1},
		{"ipv4":"node.example","ipv6":"-","port":53,"public_key":%[2]q,"status_udp":true},
		{"ipv4":"192.0.2.3","ipv6":"-","port":33445,"public_key":%[1]q,"status_udp":false,"status_tcp":true},
		{"ipv4":"-","ipv6":"2001:db8::4","port":33445,"public_key":%[2]q},
		{"ipv4":"192.0.2.5","ipv6":"","port":0,"public_key":%[2]q},
		{"ipv4":"192.0.2.6","ipv6":"-","port":70000,"public_key":%[2]q},
		{"ipv4":"192.0.2.7","ipv6":"-","port":33445,"public_key":"12"},
		{"ipv4":"-","ipv6":"-","port":33445,"public_key":%[2]q}
	]}`, hexA, hexB)
	entries, err := parseNodes([]byte(list))
	require.NoError(t, err)
	assert.Equal(t, []entry{
		{"192.0.2.1", 33445, a}, {"2001:db8::1", 33445, a}, {"node.example", 53, b}, {"2001:db8::4", 33445, b},
	}, entries)
	nodes, names := known(entries)
	assert.Equal(t, []entry{{"node.example", 53, b}}, names)
	assert.Equal(t, []dhtnode.Node{
		{Key: a, Addr: netip.MustParseAddrPort("192.0.2.1:33445")},
		{Key: a, Addr: netip.MustParseAddrPort("[2001:db8::1]:33445")},
		{Key: b, Addr: netip.MustParseAddrPort("[2001:db8::4]:33445")},
	}, nodes)

	for in, want := range map[string]string{
		``:                  "not a list of nodes",
		`[]`:                "not a list of nodes",
		`{"nodes":{}}`:      "not a list of nodes",
		`{}`:                "no node with UDP among the 0 in the list",
		`{"nodes":[{},{}]}`: "no node with UDP among the 2 in the list",
		list[:len(list)/2]:  "not a list of nodes",
		`{"nodes":[{"ipv4":"192.0.2.3","port":1,"public_key":"` + hexA + `","status_udp":false}]}`: "among the 1",
	} {
		_, err := parseNodes([]byte(in))
		require.Error(t, err, in)
		assert.Contains(t, err.Error(), want)
	}
}

func FuzzParseNodes(f *testing.F) {
	_, key := nodeKey(1)
	f.Add([]byte(`{"nodes":[{"ipv4":"192.0.2.1","ipv6":"-","port":1,"public_key":"` + key + `"}]}`))
	f.Add([]byte(`{"nodes":[{"ipv4":7}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := parseNodes(data)
		assert.Equal(t, err == nil, len(entries) > 0)
		for _, e := range entries {
			assert.NotEmpty(t, e.host)
			assert.NotZero(t, e.port)
		}
	})
}

func TestReadNodes(t *testing.T) {
	code, _, stderr := runBot("--nodes", filepath.Join(t.TempDir(), "none"))
	assert.Equal(t, exitBad, code)
	assert.Contains(t, stderr, "no such file")

	path := filepath.Join(t.TempDir(), "nodes")
	require.NoError(t, os.WriteFile(path, []byte(`{"nodes":[]}`), 0o600))
	code, _, stderr = runBot("--nodes", path)
	assert.Equal(t, exitBad, code)
	assert.Equal(t, "rejoin: "+path+": no node with UDP among the 0 in the list\n", stderr)

	require.NoError(t, os.WriteFile(path, bytes.Repeat([]byte(" "), maxNodesFile+1), 0o600))
	_, err := readNodes(path)
	require.ErrorContains(t, err, "too much for a list of nodes")
}

// The file is one line in toxic's order, and can be read back.
func TestNodesFile(t *testing.T) {
	k, hex := nodeKey(0xA1)
	data := nodesFile(dhtnode.Node{Key: k, Addr: netip.MustParseAddrPort("127.0.0.1:33446")})
	assert.Equal(t, `{"last_scan":4102444800,"nodes":[{"ipv4":"127.0.0.1","ipv6":"-","port":33446,"public_key":"`+hex+
		`","last_ping":4102444800,"status_udp":true,"status_tcp":false}]}`+"\n", string(data))
	entries, err := parseNodes(data)
	require.NoError(t, err)
	assert.Equal(t, []entry{{"127.0.0.1", 33446, k}}, entries)
	entries, err = parseNodes(nodesFile(dhtnode.Node{Key: k, Addr: netip.MustParseAddrPort("[::1]:1")}))
	require.NoError(t, err)
	assert.Equal(t, []entry{{"::1", 1, k}}, entries)
}

func TestReplaceFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	require.NoError(t, replaceFile(path, []byte("old")))
	require.NoError(t, replaceFile(path, []byte("new")))
	assert.Equal(t, "new", string(readFile(t, path)))
	require.NoError(t, os.Mkdir(path+"d", 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(path+"d", "x"), nil, 0o600))
	require.Error(t, replaceFile(path+"d", []byte("over a directory")))
	files, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, files, 2, "no temporary file is left")
}

// Names that are not found are tried again; each of a name's addresses is a node.
func TestResolve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, _ := nodeKey(1)
		names := []entry{{"late.example", 1, k}, {"node.example", 2, k}}
		var asked []string
		find := func(_ context.Context, network, host string) ([]netip.Addr, error) {
			assert.Equal(t, "ip", network)
			asked = append(asked, host)
			switch {
			case host == "node.example":
				return []netip.Addr{netip.MustParseAddr("::ffff:192.0.2.1"), netip.MustParseAddr("2001:db8::1")}, nil
			case len(asked) > 3:
				return []netip.Addr{netip.MustParseAddr("192.0.2.9")}, nil
			}
			return nil, errors.New("no such host")
		}
		var got []string
		add := func(n dhtnode.Node) error {
			assert.Equal(t, k, n.Key)
			got = append(got, n.Addr.String())
			return nil
		}
		var out bytes.Buffer
		began := time.Now()
		resolve(t.Context(), names, find, add, newBotLog(&out, true))
		assert.Equal(t, 2*lookupAgain, time.Since(began))
		assert.Equal(t, []string{"late.example", "node.example", "late.example", "late.example"}, asked)
		assert.Equal(t, []string{"192.0.2.1:2", "[2001:db8::1]:2", "192.0.2.9:1"}, got)
		assert.Equal(t, 1, strings.Count(out.String(), "late.example"), "told once")
	})
}

// It ends when the bot does.
func TestResolveEnds(t *testing.T) {
	k, _ := nodeKey(1)
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	fails := func(context.Context, string, string) ([]netip.Addr, error) { return nil, errors.New("no") }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	resolve(ctx, []entry{{"node.example", 1, k}}, fails, nil, quiet)

	calls := 0
	found := func(context.Context, string, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.IPv6Loopback()}, nil
	}
	stopped := func(dhtnode.Node) error { calls++; return errors.New("stopped") }
	resolve(t.Context(), []entry{{"node.example", 1, k}, {"x.example", 1, k}}, found, stopped, quiet)
	assert.Equal(t, 1, calls)
}
