// Package persist turns deliveries into rows of the database: it is what a
// consumer of the stream does with them.
//
// A batch is written whole, in one transaction. The database keeps each event
// id once, so a delivery that comes again costs a look-up and never a second
// row. What the database rejects is isolated by halving the batch, so that its
// neighbours are stored, and reported with the reason; what the database
// cannot take now is left to be tried again.
package persist
