package stream

import (
	"context"
	"errors"

	"github.com/redis/rueidis"
)

// errConflict says that a watched key was changed before the transaction.
var errConflict = errors.New("a watched key was changed by somebody else")

// execute runs commands as one transaction on a connection of its own and
// returns their replies (https://redis.io/docs/latest/develop/using-commands/transactions/).
//
// A command that Redis rejects as it is queued, for want of memory or of a
// permission or because it is a replica, ends the transaction with nothing
// done. One that fails later, as on a key of another type, does not keep the
// others from being done: it must be ruled out before, under WATCH. A watched
// key that was changed meanwhile is errConflict, with nothing done.
func execute(ctx context.Context, tx rueidis.DedicatedClient, cmds ...rueidis.Completed) ([]rueidis.RedisMessage, error) {
	all := make([]rueidis.Completed, 0, len(cmds)+2)
	all = append(all, tx.B().Multi().Build())
	all = append(all, cmds...)
	all = append(all, tx.B().Exec().Build())
	replies := tx.DoMulti(ctx, all...)
	// The reason stands with the command that was rejected; EXEC says only
	// that there was one.
	for _, reply := range replies[:len(replies)-1] {
		if err := reply.Error(); err != nil {
			return nil, err
		}
	}
	results, err := replies[len(replies)-1].ToArray()
	if rueidis.IsRedisNil(err) {
		return nil, errConflict
	}
	if err != nil {
		return nil, err
	}
	if len(results) != len(cmds) {
		return nil, unexpected("EXEC", nil)
	}
	return results, nil
}
