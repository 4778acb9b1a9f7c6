package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

const (
	maxNodesFile = 4 << 20          // bytes of a file of nodes
	lookupTime   = 10 * time.Second // for one name
	lookupAgain  = 30 * time.Second // after names that were not found
)

var errEntry = errors.New("want HOST:PORT:KEY, IPv6 addresses in brackets, the key as 64 hex digits")

// entry is a node by which to enter the network. Its host may be a name.
type entry struct {
	host string
	port uint16
	key  packets.PublicKey
}

// newEntry refuses what cannot be a node.
func newEntry(host string, port int, key string) (e entry, err error) {
	if host == "" || strings.ContainsAny(host, " /") {
		return e, fmt.Errorf("host %q", host)
	}
	if port < 1 || port > math.MaxUint16 {
		return e, fmt.Errorf("port %d", port)
	}
	e = entry{host: host, port: uint16(port)}
	if e.key, err = packets.ParsePublicKey(key); err != nil {
		return e, fmt.Errorf("key %q", key)
	}
	return e, nil
}

// parseEntries parses HOST:PORT:KEY.
func parseEntries(list []string) (entries []entry, err error) {
	for _, s := range list {
		i := strings.LastIndexByte(s, ':')
		if i < 0 {
			return nil, fmt.Errorf("bootstrap %q: %w", s, errEntry)
		}
		host, port, err := net.SplitHostPort(s[:i])
		if err != nil {
			return nil, fmt.Errorf("bootstrap %q: %w", s, errEntry)
		}
		number, err := strconv.Atoi(port)
		if err != nil {
			return nil, fmt.Errorf("bootstrap %q: port %q: %w", s, port, errEntry)
		}
		e, err := newEntry(host, number, s[i+1:])
		if err != nil {
			return nil, fmt.Errorf("bootstrap %q: %w: %w", s, err, errEntry)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// readNodes reads a public list of nodes.
func readNodes(path string) ([]entry, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxNodesFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxNodesFile {
		return nil, fmt.Errorf("%s: more than %d bytes, too much for a list of nodes", path, maxNodesFile)
	}
	entries, err := parseNodes(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return entries, nil
}

// parseNodes takes the nodes that speak UDP out of a list of nodes, as
// nodes.tox.chat/json has it. A node may have an address of each family; "-"
// means none. What cannot be a node is left out.
func parseNodes(data []byte) (entries []entry, err error) {
	var list struct {
		Nodes []struct {
			IPv4      string `json:"ipv4"`
			IPv6      string `json:"ipv6"`
			Port      int    `json:"port"`
			PublicKey string `json:"public_key"`
			UDP       *bool  `json:"status_udp"` // not in the lists that clients keep
		} `json:"nodes"`
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("not a list of nodes: %w", err)
	}
	for _, n := range list.Nodes {
		if n.UDP != nil && !*n.UDP {
			continue
		}
		for _, host := range []string{n.IPv4, n.IPv6} {
			if host == "-" {
				continue
			}
			if e, err := newEntry(host, n.Port, n.PublicKey); err == nil {
				entries = append(entries, e)
			}
		}
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("no node with UDP among the %d in the list", len(list.Nodes))
	}
	return entries, nil
}

// node is the entry as a node, if its host is an address.
func (e *entry) node() (dhtnode.Node, bool) {
	a, err := netip.ParseAddr(e.host)
	return dhtnode.Node{Key: e.key, Addr: netip.AddrPortFrom(a.Unmap(), e.port)}, err == nil
}

// known splits entries into nodes and those whose host is a name.
func known(entries []entry) (nodes []dhtnode.Node, names []entry) {
	for i := range entries {
		if n, ok := entries[i].node(); ok {
			nodes = append(nodes, n)
		} else {
			names = append(names, entries[i])
		}
	}
	return nodes, names
}

// lookup finds the addresses of a name; net.Resolver.LookupNetIP is one.
type lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)

// resolve finds the nodes with names, and tries again until all are found.
func resolve(ctx context.Context, names []entry, find lookup, add func(dhtnode.Node) error, log *slog.Logger) {
	for first := true; len(names) > 0; first = false {
		var left []entry
		for _, e := range names {
			limited, cancel := context.WithTimeout(ctx, lookupTime)
			found, err := find(limited, "ip", e.host)
			cancel()
			if err != nil {
				if first && ctx.Err() == nil {
					log.Warn("cannot find a node; trying again", "host", e.host, "err", err)
				}
				left = append(left, e)
				continue
			}
			for _, a := range found {
				if add(dhtnode.Node{Key: e.key, Addr: netip.AddrPortFrom(a.Unmap(), e.port)}) != nil {
					return // it does not run any more
				}
			}
		}
		if names = left; len(names) == 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookupAgain):
		}
	}
}

// neverScan is when toxic is told to have last looked for public nodes: in the
// future, since otherwise it replaces a list of more than some days.
const neverScan int64 = 4102444800 // 2100-01-01

// nodesFile is a list of one node, on one line and in the order that toxic wants.
func nodesFile(n dhtnode.Node) []byte {
	v4, v6 := n.Addr.Addr().String(), "-"
	if n.Addr.Addr().Is6() {
		v4, v6 = "-", v4
	}
	return fmt.Appendf(nil, `{"last_scan":%d,"nodes":[{"ipv4":%q,"ipv6":%q,"port":%d,"public_key":"%X",`+
		`"last_ping":%[1]d,"status_udp":true,"status_tcp":false}]}`+"\n",
		neverScan, v4, v6, n.Addr.Port(), n.Key[:])
}

// replaceFile writes a file that others may be reading.
func replaceFile(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
