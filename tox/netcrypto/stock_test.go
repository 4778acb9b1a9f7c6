package netcrypto

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/crypto"
)

// replayer plays a recorded session with a stock peer to a machine.
type replayer struct {
	t      *testing.T
	m      *Machine
	keys   crypto.SharedKey // of the session
	base   crypto.Nonce     // our first
	events []string         // not yet found in the recording
	sends  [][]byte
	opened map[byte]int // our packets that the stock peer took, by packet id
	kinds  map[byte]int // what was received, by datagram id
}

func bytesOf(t *testing.T, s string) []byte {
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

// Sessions with libtoxcore 0.2.18 come out as recorded: every datagram of the
// stock peer is accepted, with the same events, our cookies and handshakes are
// the same bytes, and the data packets that it understood hold what ours do.
func TestStock(t *testing.T) {
	for _, name := range []string{"accept", "dial", "loss"} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", "stock", name+".txt"))
			require.NoError(t, err)
			r := &replayer{t: t, opened: map[byte]int{}, kinds: map[byte]int{}}
			for line := range strings.Lines(string(text)) {
				r.line(strings.Split(strings.TrimRight(line, "\n"), " "))
			}
			require.Empty(t, r.events)
			for id := byte(idHandshake); id <= idData; id++ {
				require.Positive(t, r.kinds[id])
			}
			for _, id := range []byte{idRequest, idKill, 24, 64} {
				require.Positive(t, r.opened[id], "packet id %d", id)
			}
		})
	}
}

// line plays one line.
func (r *replayer) line(w []string) {
	t := r.t
	switch w[0] {
	case "config":
		long, err := crypto.KeyPairFromSecret(packets.SecretKey(bytesOf(t, w[1])))
		require.NoError(t, err)
		dht, err := crypto.KeyPairFromSecret(packets.SecretKey(bytesOf(t, w[2])))
		require.NoError(t, err)
		r.m = New(Config{Real: long, DHT: dht, Rand: rand.NewChaCha8([32]byte(bytesOf(t, w[3])))})
		return
	case "-":
		r.outcome(w[1:])
		return
	}
	ms, err := strconv.ParseInt(w[0], 10, 64)
	require.NoError(t, err)
	now := packets.Time(ms)
	switch w[1] {
	case "tick":
		r.m.Tick(now)
	case "recv", "refuse":
		p := bytesOf(t, w[3])
		r.kinds[p[0]]++
		err := r.m.Receive(now, netip.MustParseAddrPort(w[2]), p)
		require.Equal(t, w[1] == "refuse", err != nil, "%v", err)
	default:
		key := packets.PublicKey(bytesOf(t, w[2]))
		switch w[1] {
		case "expect":
			require.NoError(t, r.m.Expect(key, true))
		case "dial":
			require.NoError(t, r.m.Dial(now, key, packets.PublicKey(bytesOf(t, w[3])), netip.MustParseAddrPort(w[4])))
		case "write":
			_, err := r.m.Send(now, key, bytesOf(t, w[3]))
			require.NoError(t, err)
		case "close":
			r.m.Close(now, key)
		}
	}
	out := r.m.Poll()
	require.NoError(t, r.m.Check())
	for _, e := range out.Events {
		r.events = append(r.events, fmt.Sprintf("%d %d %d %x", e.Kind, e.Reason, e.Number, e.Data))
	}
	for _, d := range out.Sends {
		r.sends = append(r.sends, bytes.Clone(d.Data))
	}
	if len(r.m.sessions) > 0 {
		r.keys, r.base = r.m.sessions[0].key, r.m.sessions[0].base
	}
}

// outcome compares a recorded outcome. When data packets are sent, timers of
// ours decide; what is in them is the protocol's.
func (r *replayer) outcome(w []string) {
	t := r.t
	if w[0] == "event" {
		require.NotEmpty(t, r.events)
		require.Equal(t, strings.Join(w[1:], " "), r.events[0])
		r.events = r.events[1:]
		return
	}
	p := bytesOf(t, w[2])
	if p[0] != idData {
		for len(r.sends) > 0 && r.sends[0][0] == idData {
			r.sends = r.sends[1:]
		}
		require.NotEmpty(t, r.sends)
		require.Equal(t, p, r.sends[0])
		r.sends = r.sends[1:]
		return
	}
	low := uint16(p[1])<<8 | uint16(p[2])
	nonce := r.base.Add(uint64(low - r.base.Low()))
	plain, err := r.keys.Open(nil, &nonce, p[dataHead:])
	require.NoError(t, err)
	x, err := parseBody(plain)
	require.NoError(t, err)
	require.Equal(t, plain, x.append(nil))
	r.opened[x.payload[0]]++
}
