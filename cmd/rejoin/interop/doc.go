// Package interop has no code, only tests, built with the tag toxcore: rejoin bot
// beside stock peers of libtoxcore and toxic, as a user starts them. What that
// needs is in the documentation of package toxcore.
package interop
