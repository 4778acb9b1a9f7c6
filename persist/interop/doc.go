// Package interop has no code, only a test, built with the tag interop: what we
// write loads in the real libtoxcore, and what that writes we read. It needs a
// C compiler and libtoxcore with its headers (Debian: libtoxcore-dev).
package interop
