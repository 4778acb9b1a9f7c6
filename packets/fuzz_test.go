package packets_test

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/tox-rejoin/rejoin/packets"
)

// Each decoder has a fuzz target here. It never panics; what was read and
// written again is read as the same (parse(append(x)) = x); and canonical bytes
// are written as they were (append(parse(b)) = b). The seeds in testdata/fuzz
// are what c-toxcore sent and saved, some of it shortened.

// fuzzPacket is the property of a value with an Append. written is the part of a
// good input that Append writes.
func fuzzPacket[P appender](f *testing.F, parser func([]byte) (P, error), written func(b []byte) []byte) {
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		p, err := parser(b)
		if !bytes.Equal(before, b) {
			t.Fatal("the parser changed the packet")
		}
		if err != nil {
			return
		}
		again := p.Append(nil)
		if want := written(b); !bytes.Equal(again, want) {
			t.Fatalf("wrote %x, want %x", again, want)
		}
		if p2, err := parser(again); err != nil || !reflect.DeepEqual(p, p2) {
			t.Fatalf("read %+v again as %+v, %v", p, p2, err)
		}
	})
}

func same(b []byte) []byte { return b }

func FuzzInvite(f *testing.F)  { fuzzPacket(f, packets.ParseInvite, same) }
func FuzzOnline(f *testing.F)  { fuzzPacket(f, packets.ParseOnline, same) }
func FuzzDirect(f *testing.F)  { fuzzPacket(f, packets.ParseDirect, same) }
func FuzzMessage(f *testing.F) { fuzzPacket(f, packets.ParseMessage, same) }
func FuzzLossy(f *testing.F)   { fuzzPacket(f, packets.ParseLossy, same) }

// FuzzRejoin: surplus bytes are ignored.
func FuzzRejoin(f *testing.F) {
	fuzzPacket(f, packets.ParseRejoin, func(b []byte) []byte { return b[:packets.RejoinSize] })
}

func FuzzCookie(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		inv, err := packets.ParseCookie(b)
		if err == nil && !bytes.Equal(inv.Cookie(), b) {
			t.Fatalf("wrote %x of %x", inv.Cookie(), b)
		}
	})
}

// FuzzPeerList: every entry before the end or the fault is written as it was.
func FuzzPeerList(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		var again []byte
		for list := packets.PeerList(b); ; {
			p, rest, more, err := list.Next()
			if err != nil && (p.Key == nil || p.DHT == nil || rest != nil) {
				t.Fatalf("a bad name, but %+v and %d bytes", p, len(rest))
			}
			if !more || err != nil {
				break
			}
			if len(p.Name) > packets.MaxName || len(rest) >= len(list) {
				t.Fatalf("a name of %d bytes, %d left of %d", len(p.Name), len(rest), len(list))
			}
			again = packets.AppendPeer(again, p.Number, p.Key, p.DHT, string(p.Name))
			list = rest
		}
		if !bytes.HasPrefix(b, again) {
			t.Fatalf("wrote %x of %x", again, b)
		}
	})
}

func FuzzNewPeer(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := packets.ParseNewPeer(b)
		if err != nil {
			return
		}
		if again := packets.AppendNewPeer(nil, p.Number, p.Key, p.DHT); !bytes.Equal(again, b) {
			t.Fatalf("wrote %x of %x", again, b)
		}
	})
}

func FuzzPeerNumber(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := packets.ParsePeerNumber(b)
		if (err == nil) != (len(b) == packets.PeerNumberSize) {
			t.Fatalf("%d bytes: %v", len(b), err)
		}
		if err == nil && !bytes.Equal(b, []byte{byte(n >> 8), byte(n)}) {
			t.Fatalf("%d of %x", n, b)
		}
	})
}

func FuzzSave(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		salvaged, dropped := packets.SalvageSave(b)
		s, err := packets.ParseSave(b)
		if (err == nil) != (len(dropped) == 0) {
			t.Fatalf("error %v, dropped %v", err, dropped)
		}
		if err == nil && !reflect.DeepEqual(s, salvaged) {
			t.Fatalf("parsed %+v, salvaged %+v", s, salvaged)
		}
		if err == nil && !bytes.Equal(packets.AppendSave(nil, s), b) {
			t.Fatal("not written as it was")
		}
		again, err := packets.ParseSave(packets.AppendSave(nil, salvaged))
		if err != nil || len(again.Sections) != len(salvaged.Sections) {
			t.Fatalf("salvaged, but not sound: %v", err)
		}
		for _, d := range dropped {
			if d.Offset < 0 || d.Length < 0 || d.Offset+d.Length > len(b) || d.What == "" {
				t.Fatalf("dropped %+v of %d bytes", d, len(b))
			}
		}
		packets.CheckSave(salvaged)
	})
}

func FuzzConferences(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		salvaged, dropped := packets.SalvageConferences(b)
		again := packets.AppendConferences(nil, salvaged)
		c, err := packets.ParseConferences(b)
		if err == nil {
			if !reflect.DeepEqual(c, salvaged) {
				t.Fatalf("parsed %+v, salvaged %+v", c, salvaged)
			}
			if !bytes.HasPrefix(b, again) || len(b)-len(again) >= packets.SavedConferenceMin {
				t.Fatalf("wrote %x of %x", again, b)
			}
		} else if len(dropped) == 0 || c != nil {
			t.Fatalf("error %v, dropped nothing, %d conferences", err, len(c))
		}
		if c, err := packets.ParseConferences(again); err != nil || !reflect.DeepEqual(c, salvaged) {
			t.Fatalf("read %+v again as %+v, %v", salvaged, c, err)
		}
	})
}

func FuzzSavedKeys(f *testing.F) { fuzzPacket(f, packets.ParseSavedKeys, same) }

func FuzzFriends(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		friends, err := packets.ParseFriends(b)
		if err != nil {
			return
		}
		if !bytes.Equal(packets.AppendFriends(nil, friends), b) {
			t.Fatal("not written as they were")
		}
		for _, v := range friends {
			name := bytes.Clone(v.Name())
			v.SetRequest(v.Request())
			v.SetStatusMessage(v.StatusMessage())
			v.SetName(name)
			if !bytes.Equal(v.Name(), name) {
				t.Fatalf("name %x, was %x", v.Name(), name)
			}
		}
	})
}

func FuzzNodes(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		list := packets.ParseNodes(b)
		if again := list.Append(nil); !bytes.Equal(again, b) {
			t.Fatalf("wrote %x of %x", again, b)
		}
	})
}

func FuzzSavedDHT(f *testing.F) {
	fuzzPacket(f, func(b []byte) (packets.SavedDHT, error) {
		d, err := packets.ParseSavedDHT(b)
		d.Nodes()
		return d, err
	}, same)
}
