// Package stream keeps events on a Redis Stream between those who accept them
// and those who store them (https://redis.io/docs/latest/develop/data-types/streams/).
//
// A [Conn] is the connection to one Redis server. A [Partition] is one stream
// key on it, with the keys beside it in the same cluster slot: its dead letters
// and the set of groups it has had. A stream has one partition today, number 0.
// What works on a partition is made from it:
//
//   - [Producer] publishes, and sees to it that nothing is published before
//     the consumer groups exist;
//   - [Group] is one consumer group: it reads, claims, acknowledges, moves
//     entries to the dead letters, trims and removes idle consumers;
//   - [Tail] reads without a group, from any entry id on;
//   - [DeadLetterStore] lists, removes and replays dead letters;
//   - [Inspector] tells how the server, the stream and the groups are.
//
// Several groups may work on one partition in one process. Every delivery says
// which group and which partition it belongs to, and so does every metric.
//
// All methods may be called concurrently, and return when their context ends
// whatever Redis does. Every error is an [event.Error] of kind KindUnavailable:
// what Redis does not do now it may do later, and nothing here decides how
// often to ask. Its Code is the first word of what Redis said ("OOM",
// "READONLY", "NOGROUP"), empty when Redis said nothing.
package stream
