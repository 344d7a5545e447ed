package pgsession

// OnlyNeeded reports whether sessions begin with the settings that are needed,
// and none that are only wanted.
func OnlyNeeded(c *Connector) bool { return int(c.current.Load()) == len(c.drivers)-1 }
