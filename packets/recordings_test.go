package packets_test

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/internal/vectors"
	"github.com/tox-rejoin/rejoin/packets"
)

// appender is what every packet can do.
type appender interface{ Append(dst []byte) []byte }

// parse reads any conference packet.
func parse(b []byte) (appender, error) {
	if len(b) == 0 {
		return nil, packets.ErrTooShort
	}
	switch b[0] {
	case packets.PacketInvite:
		return asAppender(packets.ParseInvite(b))
	case packets.PacketOnline:
		return asAppender(packets.ParseOnline(b))
	case packets.PacketDirect:
		return asAppender(packets.ParseDirect(b))
	case packets.PacketMessage:
		return asAppender(packets.ParseMessage(b))
	case packets.PacketRejoin:
		return asAppender(packets.ParseRejoin(b))
	case packets.PacketLossy:
		return asAppender(packets.ParseLossy(b))
	}
	return nil, packets.ErrKind
}

func asAppender[P appender](p P, err error) (appender, error) { return p, err }

// kindOf names a packet down to its last kind byte.
func kindOf(p appender) string {
	switch p := p.(type) {
	case packets.Invite:
		return fmt.Sprintf("invite %d", p.Kind)
	case packets.Direct:
		return fmt.Sprintf("direct %d", p.Kind)
	case packets.Message:
		return fmt.Sprintf("message %d", p.Kind)
	case packets.Lossy:
		return fmt.Sprintf("lossy %#x", p.Kind)
	}
	return fmt.Sprintf("%T", p)
}

// dataAgain reads what a packet carries and writes it again; data without
// fields comes back as it is.
func dataAgain(p appender) (again, data []byte, err error) {
	switch p := p.(type) {
	case packets.Direct:
		if p.Kind != packets.PeerResponse {
			return p.Data, p.Data, nil
		}
		for list := packets.PeerList(p.Data); ; {
			e, rest, more, err := list.Next()
			if err != nil || !more {
				return again, p.Data, err
			}
			again = packets.AppendPeer(again, e.Number, e.Key, e.DHT, string(e.Name))
			list = rest
		}
	case packets.Message:
		switch p.Kind {
		case packets.NewPeer:
			e, err := packets.ParseNewPeer(p.Data)
			if err != nil {
				return nil, nil, err
			}
			return packets.AppendNewPeer(nil, e.Number, e.Key, e.DHT), p.Data, nil
		case packets.KillPeer, packets.FreezePeer:
			n, err := packets.ParsePeerNumber(p.Data)
			return []byte{byte(n >> 8), byte(n)}, p.Data, err
		}
		return p.Data, p.Data, nil
	}
	return nil, nil, nil
}

// TestRecordings reads every packet that c-toxcore sent in the recordings, and
// writes it again.
func TestRecordings(t *testing.T) {
	files, err := vectors.Recordings()
	require.NoError(t, err)
	count := map[string]int{}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			type line struct {
				Type string   `json:"type"`
				Hex  hexBytes `json:"hex"`
			}
			check := func(_ int, l line) error {
				if l.Type != "packet" && l.Type != "refused" {
					return nil
				}
				p, err := parse(l.Hex)
				if err != nil {
					return err
				}
				if again := p.Append(nil); !bytes.Equal(again, l.Hex) {
					return fmt.Errorf("%s: wrote %x of %x", kindOf(p), again, l.Hex)
				}
				again, data, err := dataAgain(p)
				if err != nil {
					return err
				}
				if !bytes.Equal(again, data) {
					return fmt.Errorf("%s: wrote data %x of %x", kindOf(p), again, data)
				}
				count[kindOf(p)]++
				return nil
			}
			require.NoError(t, vectors.EachLine(file, check))
		})
	}
	want := []string{
		"direct 1", "direct 10", "direct 8", "direct 9",
		"invite 0", "invite 1", "invite 2", "lossy 0xc0",
		"message 0", "message 16", "message 17", "message 18", "message 48", "message 49", "message 64", "message 65",
		"packets.Online", "packets.Rejoin",
	}
	assert.Equal(t, want, slices.Sorted(maps.Keys(count)), "every kind is in the recordings, and no other")
	for _, kind := range want {
		t.Logf("%6d %s", count[kind], kind)
	}
}

// TestRecordedSaves reads every save that c-toxcore made in the recordings, and
// writes it again.
func TestRecordedSaves(t *testing.T) {
	files, err := vectors.Recordings()
	require.NoError(t, err)
	type line struct {
		Type string   `json:"type"`
		Op   string   `json:"op"`
		Save hexBytes `json:"savedata_hex"`
	}
	saves := 0
	for _, file := range files {
		require.NoError(t, vectors.EachLine(file, func(_ int, l line) error {
			if l.Type != "call" || l.Op != "save" {
				return nil
			}
			saves++
			s, err := packets.ParseSave(l.Save)
			if err != nil {
				return err
			}
			conferences, err := s.Conferences()
			if err != nil {
				return err
			}
			if faults := packets.CheckSave(s); len(faults) > 0 {
				return faults[0]
			}
			if again := packets.AppendSave(nil, s.SetConferences(conferences)); !bytes.Equal(again, l.Save) {
				return fmt.Errorf("wrote %x of %x", again, l.Save)
			}
			return nil
		}))
	}
	assert.NotZero(t, saves)
	t.Logf("%d saves", saves)
}
