package client

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/tox-rejoin/rejoin/conference"
	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/persist"
	"github.com/tox-rejoin/rejoin/tox"
	"github.com/tox-rejoin/rejoin/tox/crypto"
	"github.com/tox-rejoin/rejoin/tox/dhtnode"
)

// What we decided about saving.
const (
	saveDelay = 5 * packets.Second  // from a change to its save
	saveRetry = 10 * packets.Second // after a save that failed
	saveEvery = 1 * packets.Second  // between saves that others can cause, in the mean
	saveBurst = 8                   // so many of them may come at once
	maxNodes  = 64                  // DHT nodes in a save
)

// ErrKeys says that the secret key of a profile does not belong to its public
// key.
var ErrKeys = errors.New("client: the keys of the profile do not belong together")

// profile is the save file and what of it the Client does not own.
type profile struct {
	dir      *persist.Dir
	file     packets.Save // as last stored; foreign sections stay as they are
	findings []persist.Finding

	real        crypto.KeyPair
	noSpam      [packets.NoSpamSize]byte
	friends     []packets.SavedFriend
	conferences []packets.SavedConference
	nodes       []dhtnode.Node // DHT nodes

	saveAt packets.Time // 0: nothing to save
	caused packets.Time // when saves that others caused would be done, one each saveEvery
	failed error        // of the last save
}

// loadProfile reads the save file, or makes up a new profile.
func loadProfile(dir *persist.Dir, cfg Config) (profile, error) {
	p := profile{dir: dir}
	var err error
	p.file, p.findings, err = dir.Load()
	if errors.Is(err, fs.ErrNotExist) {
		err = p.found(cfg)
	} else if err == nil {
		err = p.parse()
	}
	return p, err
}

// found makes a new profile.
func (p *profile) found(cfg Config) error {
	if n := len(cfg.Name); n > packets.MaxName {
		return fmt.Errorf("client: name of %d bytes, at most %d", n, packets.MaxName)
	}
	if n := len(cfg.StatusMessage); n > packets.MaxStatusMessage {
		return fmt.Errorf("client: status message of %d bytes, at most %d", n, packets.MaxStatusMessage)
	}
	p.real = crypto.NewKeyPair(cfg.Rand)
	crypto.Random(cfg.Rand, p.noSpam[:])
	p.file = packets.Save{End: true}.
		SetSection(packets.SectionKeys, p.keys()).
		SetSection(packets.SectionDHT, packNodes(nil)).
		SetSection(packets.SectionFriends, nil).
		SetSection(packets.SectionName, []byte(cfg.Name)).
		SetSection(packets.SectionStatusMessage, []byte(cfg.StatusMessage)).
		SetSection(packets.SectionStatus, []byte{byte(packets.Available)})
	return nil
}

// parse takes what we use out of the file. The checks of persist have found all
// sections sound.
func (p *profile) parse() error {
	section := func(t packets.SectionType) []byte {
		data, _ := p.file.Section(t)
		return data
	}
	keys, err := packets.ParseSavedKeys(section(packets.SectionKeys))
	if err != nil {
		return err
	}
	p.noSpam = keys.NoSpam
	if p.real, err = crypto.KeyPairFromSecret(keys.Secret); err != nil {
		return err
	}
	if p.real.Public != keys.Public {
		return ErrKeys
	}
	if p.friends, err = packets.ParseFriends(section(packets.SectionFriends)); err != nil {
		return err
	}
	if p.conferences, err = p.file.Conferences(); err != nil {
		return err
	}
	if saved, err := packets.ParseSavedDHT(section(packets.SectionDHT)); err == nil {
		for _, x := range saved.Nodes() {
			if node, ok := dhtnode.Unpack(x); ok {
				p.nodes = append(p.nodes, node)
			}
		}
	}
	return nil
}

func (p *profile) keys() []byte {
	return packets.SavedKeys{NoSpam: p.noSpam, Public: p.real.Public, Secret: p.real.Secret()}.Append(nil)
}

// packNodes is the DHT section.
func packNodes(nodes []dhtnode.Node) []byte {
	var list packets.NodeList
	for _, x := range nodes {
		list.Nodes = append(list.Nodes, x.Pack())
	}
	inner := packets.Section{Type: packets.SectionDHTNodes, Data: list.Append(nil)}
	return packets.SavedDHT{Sections: []packets.Section{inner}}.Append(nil)
}

// nodeConfig is the profile as a node wants it.
func (p *profile) nodeConfig() tox.Config {
	cfg := tox.Config{
		Real: p.real, NoSpam: p.noSpam, Friends: p.friends,
		Name: p.file.Name(), StatusMessage: p.file.StatusMessage(), Status: p.file.Status(),
	}
	if cfg.Status > packets.Busy {
		cfg.Status = packets.Available // as c-toxcore takes it
	}
	return cfg
}

// friendKeys is the keys of all friends.
func (p *profile) friendKeys() (keys []packets.PublicKey) {
	for i := range p.friends {
		if p.friends[i].Status() != packets.FriendNone {
			keys = append(keys, p.friends[i].Key())
		}
	}
	return keys
}

// changed has the file saved soon.
func (p *profile) changed(now packets.Time) {
	if p.saveAt == 0 {
		p.saveAt = now + saveDelay
	}
}

// urgent has the file saved before anybody is told.
func (p *profile) urgent(now packets.Time) { p.saveAt = now }

// soon has the file saved before anybody is told, if others do not cause that too
// often.
func (p *profile) soon(now packets.Time) {
	at := max(now, p.caused-(saveBurst-1)*saveEvery)
	if p.saveAt == 0 || at < p.saveAt {
		p.saveAt, p.caused = at, max(now, p.caused)+saveEvery
	}
}

func (p *profile) due(now packets.Time) bool { return p.saveAt != 0 && p.saveAt <= now }

// save stores, and tries again later if that fails.
func (p *profile) save(now packets.Time, n *tox.Node, e *conference.Engine) error {
	p.saveAt = 0
	if p.failed = p.store(n, e); p.failed != nil {
		p.saveAt = now + saveRetry
	}
	return p.failed
}

// store writes the file.
func (p *profile) store(n *tox.Node, e *conference.Engine) error {
	self := n.Self()
	p.noSpam, p.friends = self.NoSpam, n.Friends()
	p.nodes = mergeNodes(n.Neighbours(nil), p.nodes)
	p.file = p.file.
		SetSection(packets.SectionKeys, p.keys()).
		SetSection(packets.SectionDHT, packNodes(p.nodes)).
		SetSection(packets.SectionFriends, packets.AppendFriends(nil, p.friends)).
		SetSection(packets.SectionName, self.Name).
		SetSection(packets.SectionStatusMessage, self.StatusMessage).
		SetSection(packets.SectionStatus, []byte{byte(self.Status)}).
		SetConferences(e.Save())
	return p.dir.Store(p.file)
}

// mergeNodes is the nodes that answer now, and behind them those that answered
// earlier: after a day on another network we can still go back.
func mergeNodes(now, earlier []dhtnode.Node) []dhtnode.Node {
	for _, x := range earlier {
		if len(now) >= maxNodes {
			return now[:maxNodes]
		}
		if !slices.ContainsFunc(now, func(y dhtnode.Node) bool { return y.Key == x.Key }) {
			now = append(now, x)
		}
	}
	return now
}
