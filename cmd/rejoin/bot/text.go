package bot

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tox-rejoin/rejoin/packets"
	"github.com/tox-rejoin/rejoin/tox/messenger"
)

// What one answer may have.
const (
	maxMessages = 4  // messages
	maxShown    = 40 // letters of somebody's name
)

// limit is how many bytes a message may have where the line came from.
func (l *Line) limit() int {
	if l.InGroup {
		return packets.MaxText
	}
	return messenger.MaxText
}

// pack makes messages of lines, each as long as limit allows. What does not fit
// into maxMessages is counted only.
func pack(lines []string, limit int) []string {
	var messages [][]string
	size := 0
	for _, line := range lines {
		for _, part := range split(line, limit) {
			if len(messages) == 0 || size+1+len(part) > limit {
				messages, size = append(messages, nil), -1
			}
			last := len(messages) - 1
			messages[last] = append(messages[last], part)
			size += 1 + len(part)
		}
	}
	if len(messages) > maxMessages {
		messages = curtail(messages, limit)
	}
	texts := make([]string, len(messages))
	for i, m := range messages {
		texts[i] = strings.Join(m, "\n")
	}
	return texts
}

// curtail leaves out what is behind maxMessages, and says how much that is.
func curtail(messages [][]string, limit int) [][]string {
	more := 0
	for _, m := range messages[maxMessages:] {
		more += len(m)
	}
	messages = messages[:maxMessages]
	last := messages[maxMessages-1]
	for {
		text := strings.Join(append(last[:len(last):len(last)], fmt.Sprintf("… and %d more", more)), "\n")
		if len(text) <= limit {
			messages[maxMessages-1] = []string{text}
			return messages
		}
		last, more = last[:len(last)-1], more+1
	}
}

// split cuts a line into parts of at most limit bytes, which are 4 at least,
// between characters.
func split(line string, limit int) (parts []string) {
	for len(line) > limit {
		end := limit
		for end > limit-utf8.UTFMax+1 && !utf8.RuneStart(line[end]) {
			end--
		}
		parts, line = append(parts, line[:end]), line[end:]
	}
	return append(parts, line)
}

// Clean is what others chose as a name or title, fit to be shown in one line:
// valid UTF-8, without what steers a terminal or turns the direction of writing.
func Clean(text []byte) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case !unicode.IsGraphic(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(string(text), "\uFFFD")))
}

// short is Clean, cut to maxShown letters.
func short(text []byte) string {
	runes := []rune(Clean(text))
	if len(runes) > maxShown {
		runes = append(runes[:maxShown-1], '…')
	}
	return string(runes)
}

func isSpace(r rune) bool { return unicode.IsSpace(r) }
