package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"

	"github.com/eventpulse/eventpulse/pkg/internal/durable"
)

// The cursor file holds the latest two positions, each in a sector of its own,
// written in turn: a write that is cut off destroys the older one at worst.
const (
	cursorName   = "cursor"
	cursorMagic  = "\xffEPc"
	cursorStride = 4096
	cursorSize   = 24 // magic, checksum, generation, sequence number
)

// cursor keeps the sequence number of the first record that is not released.
// It is used by one goroutine at a time.
type cursor struct {
	f          durable.File
	generation uint64
}

// errNoCursor says that no position can be read in a cursor file.
var errNoCursor = errors.New("no position can be read")

// openCursor opens or makes the cursor file in dir and returns the position in
// it, zero for a new one.
func openCursor(fs durable.FS, dir string) (*cursor, uint64, error) {
	f, err := fs.OpenWritable(filepath.Join(dir, cursorName))
	if err != nil {
		return nil, 0, err
	}
	var b [cursorStride + cursorSize]byte
	n, err := f.ReadAt(b[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		f.Close()
		return nil, 0, fmt.Errorf("%w: %w", errNoCursor, err)
	}
	c := &cursor{f: f}
	var seq uint64
	for _, slot := range [][]byte{b[:cursorSize], b[cursorStride:]} {
		generation := binary.LittleEndian.Uint64(slot[8:])
		sum := binary.LittleEndian.Uint32(slot[4:])
		if string(slot[:4]) != cursorMagic || sum != crc32.Checksum(slot[8:], castagnoli) {
			continue
		}
		if generation > c.generation {
			c.generation, seq = generation, binary.LittleEndian.Uint64(slot[16:])
		}
	}
	if c.generation > 0 {
		return c, seq, nil
	}
	if n == len(b) {
		f.Close()
		return nil, 0, errNoCursor
	}
	// It is new, or was when its making was cut off. Both positions are set
	// now: so that the first one set later does not destroy the only one, nor
	// needs space on a full disk.
	copy(b[:], position(2, 0))
	copy(b[cursorStride:], position(1, 0))
	if _, err = f.WriteAt(b[:], 0); err == nil {
		err = f.Sync()
	}
	switch {
	case err == nil:
		c.generation = 2
	case !durable.IsNoSpace(err):
		f.Close()
		return nil, 0, fmt.Errorf("make %s: %w", cursorName, err)
	}
	return c, 0, nil
}

// position returns what stands in the file for seq.
func position(generation, seq uint64) []byte {
	slot := make([]byte, cursorSize)
	copy(slot, cursorMagic)
	binary.LittleEndian.PutUint64(slot[8:], generation)
	binary.LittleEndian.PutUint64(slot[16:], seq)
	binary.LittleEndian.PutUint32(slot[4:], crc32.Checksum(slot[8:], castagnoli))
	return slot
}

// set makes seq the position, durably.
func (c *cursor) set(seq uint64) error {
	at := int64((c.generation + 1) % 2 * cursorStride)
	if _, err := c.f.WriteAt(position(c.generation+1, seq), at); err != nil {
		return fmt.Errorf("write %s: %w", cursorName, err)
	}
	if err := c.f.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", cursorName, err)
	}
	c.generation++
	return nil
}

func (c *cursor) close() error { return c.f.Close() }
