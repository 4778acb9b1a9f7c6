package packets_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/internal/vectors"
	"github.com/tox-rejoin/rejoin/packets"
)

// saveVector is what the .json beside a save file says about it.
type saveVector struct {
	Plain       hexBytes `json:"plain_hex"`
	Encrypted   bool     `json:"encrypted"`
	Conferences []struct {
		Type        string   `json:"type"`
		ID          hexBytes `json:"id"`
		Number      uint32   `json:"message_number"`
		LossyNumber uint16   `json:"lossy_message_number"`
		PeerNumber  uint16   `json:"self_peer_number"`
		Title       hexBytes `json:"title_hex"`
		Peers       []struct {
			Key        hexBytes `json:"pk"`
			DHT        hexBytes `json:"dht_pk"`
			Number     uint16   `json:"peer_number"`
			LastActive uint64   `json:"last_active_s"`
			Name       hexBytes `json:"nick_hex"`
		} `json:"peers"`
	} `json:"saved_conferences"`
	Self struct {
		Key           hexBytes `json:"pk"`
		SecretKey     hexBytes `json:"secret_key"`
		ToxID         hexBytes `json:"tox_id"`
		Name          string   `json:"name"`
		StatusMessage string   `json:"status_message"`
	} `json:"self"`
	Friends []struct {
		Key  hexBytes `json:"pk"`
		Name string   `json:"name"`
	} `json:"friends"`
}

// hexBytes is bytes that JSON holds as hexadecimal digits; none are nil.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	*h = nil
	if len(b) > 0 {
		*h = b
	}
	return err
}

func (v *saveVector) conferences(t *testing.T) []packets.SavedConference {
	t.Helper()
	types := map[string]packets.Type{"text": packets.Text, "av": packets.AV}
	var all []packets.SavedConference
	for _, c := range v.Conferences {
		kind, known := types[c.Type]
		require.True(t, known, "type %q", c.Type)
		saved := packets.SavedConference{
			ID:     packets.ID{Type: kind, Key: [packets.KeySize]byte(c.ID)},
			Number: c.Number, LossyNumber: c.LossyNumber, PeerNumber: c.PeerNumber, Title: c.Title,
		}
		for _, p := range c.Peers {
			saved.Peers = append(saved.Peers, packets.SavedPeer{
				Key: packets.PublicKey(p.Key), DHT: packets.PublicKey(p.DHT),
				Number: p.Number, LastActive: p.LastActive, Name: p.Name,
			})
		}
		all = append(all, saved)
	}
	return all
}

// eachSave calls f with every save vector, decrypted.
func eachSave(t *testing.T, f func(t *testing.T, plain []byte, v saveVector)) {
	t.Helper()
	files, err := vectors.Saves()
	require.NoError(t, err)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			plain, err := os.ReadFile(file)
			require.NoError(t, err)
			text, err := os.ReadFile(strings.TrimSuffix(file, ".tox") + ".json")
			require.NoError(t, err)
			var v saveVector
			require.NoError(t, json.Unmarshal(text, &v))
			if v.Encrypted {
				_, err := packets.ParseSave(plain)
				require.ErrorIs(t, err, packets.ErrEncrypted)
				plain = v.Plain
			}
			f(t, plain, v)
		})
	}
}

func TestSaveVectors(t *testing.T) {
	eachSave(t, func(t *testing.T, plain []byte, v saveVector) {
		s, err := packets.ParseSave(plain)
		require.NoError(t, err)
		assert.Equal(t, plain, packets.AppendSave(nil, s), "written again")
		assert.True(t, s.End)
		assert.Empty(t, packets.CheckSave(s))

		conferences, err := s.Conferences()
		require.NoError(t, err)
		want := v.conferences(t)
		assert.Empty(t, cmp.Diff(want, conferences))
		data, ok := s.Section(packets.SectionConferences)
		require.True(t, ok)
		assert.Equal(t, data, packets.AppendConferences([]byte{}, conferences))
		assert.Equal(t, plain, packets.AppendSave(nil, s.SetConferences(conferences)), "replaced by the same")

		salvaged, dropped := packets.SalvageSave(plain)
		assert.Empty(t, dropped)
		assert.Empty(t, cmp.Diff(s, salvaged))
	})
}

func TestSaveVectorsProfile(t *testing.T) {
	eachSave(t, func(t *testing.T, plain []byte, v saveVector) {
		s, err := packets.ParseSave(plain)
		require.NoError(t, err)
		for _, x := range s.Sections {
			assert.Equal(t, x.Data, rewritten(t, x), "section %v", x.Type)
		}
		data, _ := s.Section(packets.SectionKeys)
		keys, err := packets.ParseSavedKeys(data)
		require.NoError(t, err)
		assert.EqualValues(t, v.Self.Key, keys.Public[:])
		if v.Self.SecretKey != nil {
			assert.EqualValues(t, v.Self.SecretKey, keys.Secret[:])
		}
		if v.Self.ToxID != nil {
			assert.EqualValues(t, v.Self.ToxID[32:36], keys.NoSpam[:])
		}
		assert.Equal(t, v.Self.Name, string(s.Name()))
		if v.Self.StatusMessage != "" {
			assert.Equal(t, v.Self.StatusMessage, string(s.StatusMessage()))
		}

		data, _ = s.Section(packets.SectionFriends)
		friends, err := packets.ParseFriends(data)
		require.NoError(t, err)
		require.Len(t, friends, len(v.Friends))
		for i := range friends {
			assert.Equal(t, packets.FriendConfirmed, friends[i].Status())
			key := friends[i].Key()
			assert.EqualValues(t, v.Friends[i].Key, key[:])
			assert.Equal(t, v.Friends[i].Name, string(friends[i].Name()))
		}
	})
}

// rewritten reads the section's data into its type and writes it again.
func rewritten(t *testing.T, x packets.Section) []byte {
	t.Helper()
	switch x.Type {
	case packets.SectionKeys:
		keys, err := packets.ParseSavedKeys(x.Data)
		require.NoError(t, err)
		return keys.Append([]byte{})
	case packets.SectionDHT:
		dht, err := packets.ParseSavedDHT(x.Data)
		require.NoError(t, err)
		assert.Empty(t, dht.Rest)
		for _, inner := range dht.Sections {
			nodes := packets.ParseNodes(inner.Data)
			assert.Empty(t, nodes.Rest)
			assert.Equal(t, inner.Data, nodes.Append([]byte{}))
		}
		return dht.Append([]byte{})
	case packets.SectionFriends:
		friends, err := packets.ParseFriends(x.Data)
		require.NoError(t, err)
		return packets.AppendFriends([]byte{}, friends)
	case packets.SectionTCPRelays, packets.SectionPathNodes:
		nodes := packets.ParseNodes(x.Data)
		assert.Empty(t, nodes.Rest)
		return nodes.Append([]byte{})
	}
	return x.Data
}
