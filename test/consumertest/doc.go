// Package consumertest holds what every implementation of [consumer.Source] has
// to keep to, as a suite of tests, and an implementation in memory whose calls
// fail as a test wants them to.
package consumertest
