// Package measure takes the figures of rejoin sim report: how long groups take
// to heal and what that costs, beside the least that the network allows; what is
// not shown to whom under which fault; how large a ring a ping can cross.
//
// Equal values give equal figures: everything comes from seeds.
package measure
