package store

// ByInsert makes a store take INSERT, as where COPY does not work.
func ByInsert(s *Store) { s.backend.(*postgres).copying.impossible.Store(true) }
