package bot

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/messenger"
)

func TestLimits(t *testing.T) {
	assert.Equal(t, 1372, (&Line{}).limit())
	assert.Equal(t, 1363, (&Line{InGroup: true}).limit())
	assert.Equal(t, messenger.MaxText, packets.MaxText+9)
}

func TestPack(t *testing.T) {
	for _, c := range []struct {
		lines []string
		limit int
		want  []string
	}{
		{nil, 10, []string{}},
		{[]string{"one"}, 10, []string{"one"}},
		{[]string{"one", "two", "x"}, 10, []string{"one\ntwo\nx"}},
		{[]string{"one", "two", "xy"}, 9, []string{"one\ntwo", "xy"}},
		{[]string{"", ""}, 9, []string{"\n"}},
		{[]string{"abcdefghijkl", "x"}, 10, []string{"abcdefghij", "kl\nx"}},
		{[]string{"ääää"}, 5, []string{"ää", "ää"}},
		{[]string{"a☕☕", "b"}, 5, []string{"a☕", "☕\nb"}},
		{[]string{"12345678", "12345678", "12345678", "12345678"}, 10, []string{"12345678", "12345678", "12345678", "12345678"}},
		{
			[]string{"1234567890", "1234567890", "1234567890", "1234", "abcdefghi", "x"}, 16,
			[]string{"1234567890", "1234567890", "1234567890\n1234", "abcdefghi\nx"},
		},
		{
			[]string{"12345678901234", "12345678901234", "12345678901234", "1", "2", "3", "12345678901234", "x"}, 16,
			[]string{"12345678901234", "12345678901234", "12345678901234\n1", "2\n… and 3 more"},
		},
	} {
		assert.Equal(t, c.want, pack(c.lines, c.limit), "%q", c.lines)
	}
}

// Any bytes are cut so that nothing is lost and no character is.
func FuzzSplit(f *testing.F) {
	f.Add("hello ☕ wörld", 4)
	f.Add("\xff\xff\xff\xff\xff\xff\xff\xff\x80\x80\x80\x80\x80\x80", 4)
	f.Fuzz(func(t *testing.T, line string, limit int) {
		if limit < utf8.UTFMax || limit > 100 {
			return
		}
		parts := split(line, limit)
		assert.Equal(t, line, strings.Join(parts, ""))
		for _, p := range parts {
			assert.LessOrEqual(t, len(p), limit)
			assert.True(t, p != "" || line == "")
			assert.True(t, utf8.ValidString(p) || !utf8.ValidString(line), "%q of %q", p, line)
		}
	})
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"":                       "",
		" Lobby ":                "Lobby",
		"a\tb\r\nc":              "a b  c",
		"\x1b[31mred\x07":        "[31mred",
		"caf\xe9":                "caf\uFFFD",
		"\u202egnp.exe\u200b":    "gnp.exe",
		"☕ Wien":                 "☕ Wien",
		strings.Repeat("n", 128): strings.Repeat("n", 128),
	} {
		assert.Equal(t, want, Clean([]byte(in)))
	}
	assert.Equal(t, strings.Repeat("ä", 39)+"…", short([]byte(strings.Repeat("ä", 64))))
	assert.Equal(t, strings.Repeat("ä", 40), short([]byte(strings.Repeat("ä", 40))))
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second:                 "0 s",
		59 * time.Second:             "59 s",
		119 * time.Second:            "1 min",
		3*time.Hour + 59*time.Minute: "3 h 59 min",
		50 * time.Hour:               "2 d 2 h",
	} {
		assert.Equal(t, want, span(d))
	}
}
