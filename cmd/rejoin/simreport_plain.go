//go:build !oracle || !linux || !amd64

package main

// reportOthers is nobody: c-toxcore is not built in.
func reportOthers() []reportCode { return nil }
