// Package interop has no code, only tests, built with the tag toxcore: a Client
// meets stock peers of libtoxcore. What that needs is in the documentation of
// package toxcore.
package interop
