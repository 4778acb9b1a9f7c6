package persist

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tox-rejoin/rejoin/internal/vectors"
	"github.com/tox-rejoin/rejoin/packets"
)

// vector is a save file of real c-toxcore.
type vector struct {
	name     string
	raw      []byte // as on the disk
	plain    []byte
	password []byte // nil: not encrypted
}

// saveVectors is all save files of real c-toxcore.
func saveVectors(t testing.TB) []vector {
	t.Helper()
	files, err := vectors.Saves()
	require.NoError(t, err)
	list := make([]vector, 0, len(files))
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		text, err := os.ReadFile(strings.TrimSuffix(file, ".tox") + ".json")
		require.NoError(t, err)
		var about struct {
			Encrypted bool
			Password  string
			Plain     string `json:"plain_hex"`
		}
		require.NoError(t, json.Unmarshal(text, &about))
		v := vector{name: filepath.Base(file), raw: raw, plain: raw}
		if about.Encrypted {
			v.password = []byte(about.Password)
			v.plain, err = hex.DecodeString(about.Plain)
			require.NoError(t, err)
		}
		list = append(list, v)
	}
	return list
}

// plainVector is the plain file of the vector whose name begins so.
func plainVector(t testing.TB, begin string) []byte {
	t.Helper()
	for _, v := range saveVectors(t) {
		if strings.HasPrefix(v.name, begin) {
			return v.plain
		}
	}
	require.Fail(t, "no save vector "+begin)
	return nil
}

// small is a small sound profile with two conferences, of our own making.
func small(t testing.TB) packets.Save {
	t.Helper()
	secret := packets.SecretKey{1, 2, 3}
	public, err := publicKey(secret)
	require.NoError(t, err)
	var friend packets.SavedFriend
	friend.SetStatus(packets.FriendConfirmed)
	friend.SetKey(packets.PublicKey{9})
	friend.SetName([]byte("friend"))
	keys := packets.SavedKeys{NoSpam: [4]byte{1, 2, 3, 4}, Public: public, Secret: secret}
	save := packets.Save{End: true}.
		SetSection(packets.SectionKeys, keys.Append(nil)).
		SetSection(packets.SectionFriends, packets.AppendFriends(nil, []packets.SavedFriend{friend})).
		SetSection(packets.SectionName, []byte("me")).
		SetSection(packets.SectionStatus, []byte{0})
	return save.SetConferences([]packets.SavedConference{
		{
			ID: packets.ID{Key: [32]byte{1}}, Number: 65539, PeerNumber: 7, Title: []byte("one"),
			Peers: []packets.SavedPeer{
				{Key: packets.PublicKey{9}, DHT: packets.PublicKey{10}, Number: 1, LastActive: 1700000000, Name: []byte("friend")},
				{Key: packets.PublicKey{11}, DHT: packets.PublicKey{12}, Number: 2, LastActive: 1700000001},
			},
		},
		{ID: packets.ID{Type: packets.AV, Key: [32]byte{2}}, Number: 65540, LossyNumber: 8192, PeerNumber: 1},
	})
}

// conferences is what a test changes of a profile.
func conferences(t testing.TB, s packets.Save) []packets.SavedConference {
	t.Helper()
	list, err := s.Conferences()
	require.NoError(t, err)
	return list
}

// seeded is a source of bytes that are the same every time.
type seeded byte

func (s *seeded) Read(p []byte) (int, error) {
	for i := range p {
		*s = *s*109 + 89
		p[i] = byte(*s)
	}
	return len(p), nil
}
