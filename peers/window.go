package peers

import "github.com/tox-rejoin/rejoin/packets"

// WindowSize is how many message numbers of a peer are remembered.
const WindowSize = 8

// Window is the last message numbers received from one peer, newest first
// (SPEC C-62 to C-66). The zero Window accepts any number.
type Window struct {
	numbers [WindowSize]uint32
	kinds   [WindowSize]packets.MessageKind
	used    uint8
	pace    pace[uint32]
}

// pace is how fast an author's numbers run ahead.
type pace[N uint16 | uint32] struct {
	second uint32 // when a number was last ahead of all before
	from   N      // the first of that second
}

// leaps tells whether a number that is ahead of all before is more than most
// ahead of the first one of its second. The first may be anywhere: the author
// may have restarted, or we may have missed much. Without that limit a few
// numbers spread over the whole circle are each ahead of the one before, and
// their messages go round for ever (SPEC I-14).
func (p *pace[N]) leaps(number N, second uint64, most N) bool {
	if p.second != uint32(second) {
		p.second, p.from = uint32(second), number
		return false
	}
	return number-p.from > most
}

// Leap is how far the message numbers of one author may run ahead within one
// second, and LeapLossy its lossy numbers: twice what a restart skips.
const (
	Leap      = 2 * packets.SaveOffset
	LeapLossy = 2 * packets.SaveOffsetLossy
)

// Leaps tells whether a number runs ahead too fast and is to be dropped. It
// goes before Accept.
func (w *Window) Leaps(number uint32, second uint64) bool {
	if w.used > 0 && !Newer(number, w.numbers[0]) {
		return false
	}
	return w.pace.leaps(number, second, Leap)
}

// Accept enters a number and tells whether the message is to be processed: it
// is neither a duplicate nor older than all remembered, nor a Name or Title
// behind a newer one. Numbers wrap around.
func (w *Window) Accept(number uint32, kind packets.MessageKind) bool {
	latest := kind == packets.Name || kind == packets.Title
	at := 0
	for ; at < int(w.used); at++ {
		if Newer(number, w.numbers[at]) {
			break
		}
		if number == w.numbers[at] || latest && w.kinds[at] == kind {
			return false
		}
	}
	if at == WindowSize {
		return false
	}
	if w.used < WindowSize {
		w.used++
	}
	copy(w.numbers[at+1:w.used], w.numbers[at:])
	copy(w.kinds[at+1:w.used], w.kinds[at:])
	w.numbers[at], w.kinds[at] = number, kind
	return true
}

// Newer tells whether message number a follows b, at most half the circle (plus
// one) ahead.
func Newer(a, b uint32) bool { return a-b-1 <= 1<<31 }

// LossySize is how many lossy numbers of a peer are remembered.
const LossySize = 256

// LossyWindow is the lossy numbers received from one peer (SPEC C-118).
type LossyWindow struct {
	seen        [LossySize / 64]uint64 // by number modulo LossySize
	bottom, top uint16                 // equal: nothing received yet
	pace        pace[uint16]
}

// Leaps tells whether a number runs ahead too fast and is to be dropped. It
// goes before Accept.
func (w *LossyWindow) Leaps(number uint16, second uint64) bool {
	if offset := number - w.bottom; w.bottom != w.top && (offset < LossySize || offset > 1<<15) {
		return false
	}
	return w.pace.leaps(number, second, LeapLossy)
}

// Accept enters a number and tells whether the packet is new.
func (w *LossyWindow) Accept(number uint16) bool {
	if w.bottom == w.top {
		w.slide(number)
		return true
	}
	switch offset := number - w.bottom; {
	case offset < LossySize:
		if w.has(number) {
			return false
		}
		w.mark(number)
		return true
	case offset > 1<<15:
		return false
	}
	if distance := number - w.top; distance >= LossySize {
		w.seen = [LossySize / 64]uint64{}
	} else {
		for i := range distance {
			w.clear(w.bottom + i)
		}
	}
	w.slide(number)
	return true
}

func (w *LossyWindow) slide(number uint16) {
	w.top, w.bottom = number, number-LossySize+1
	w.mark(number)
}

func (w *LossyWindow) has(n uint16) bool { return w.seen[n%LossySize/64]>>(n%64)&1 != 0 }
func (w *LossyWindow) mark(n uint16)     { w.seen[n%LossySize/64] |= 1 << (n % 64) }
func (w *LossyWindow) clear(n uint16)    { w.seen[n%LossySize/64] &^= 1 << (n % 64) }
