//go:build toxcore

// Stock is one peer of stock libtoxcore as a program. It reads commands as lines
// of JSON and writes outcomes and events; package toxcore has both as types.
//
//	stock -port 33500 -save alice.tox
//	{"id":1,"do":"self"}
//	{"id":1,"self":{"version":"0.2.18","address":"…",…}}
//	{"event":{"kind":"friend_request","key":"…","data":"aGVsbG8="}}
//
// It ends with the command quit, or when its standard input does.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"

	"github.com/tox-rejoin/rejoin/tox/toxcore"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "stock:", err)
		os.Exit(1)
	}
}

func run() error {
	port := flag.Uint("port", 0, "the UDP `port`; 0: no UDP at all")
	save := flag.String("save", "", "the `file` to load, if it exists, and to save to")
	lan := flag.Bool("lan", false, "look for others in the local networks")
	flag.Parse()
	if *port > 65535 {
		return fmt.Errorf("no port: %d", *port)
	}
	options := toxcore.Options{UDPPort: uint16(*port), LAN: *lan}
	if *save != "" {
		saved, err := os.ReadFile(*save)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		options.Savedata = saved
	}
	tox, err := toxcore.New(options)
	if err != nil {
		return err
	}
	defer tox.Kill()
	return toxcore.NewServer(tox, *save).Serve(os.Stdin, os.Stdout)
}
