package store

import "context"

// problemsStatement looks at what statements of ours rely on and an operator may
// have changed: whether the table of events can be arbitrated by event_id, has
// our columns with our types, wants no others, and lets this role in. The
// catalogs are those of https://www.postgresql.org/docs/current/catalogs.html .
const problemsStatement = `
WITH target AS (SELECT * FROM pg_class WHERE oid = to_regclass('events')),
ours (name, types) AS (VALUES
  ('event_id', '{uuid}'::text[]), ('event_type', '{varchar,text}'), ('source', '{varchar,text}'),
  ('timestamp', '{timestamptz}'), ('payload', '{jsonb}'), ('metadata', '{jsonb}')),
present AS (
  SELECT a.*, coalesce(base.typname, type.typname) AS type
  FROM target t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type type ON type.oid = a.atttypid LEFT JOIN pg_type base ON base.oid = type.typbasetype)

SELECT 'table', 'table events', 'event_id alone is not unique in it, so that an event that comes again would be a second row',
  'ALTER TABLE events ADD UNIQUE (event_id); a partitioned table takes that where it is partitioned by ranges of event_id'
FROM target t WHERE relkind IN ('r', 'p') AND NOT EXISTS (
  SELECT FROM pg_index i JOIN present p ON p.attnum = i.indkey[0] AND p.attname = 'event_id'
  WHERE i.indrelid = t.oid AND i.indnkeyatts = 1 AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL)

UNION ALL SELECT 'table', 'table events', 'it is a foreign table, which cannot recognise an event that comes again', 'use a table of this database'
FROM target WHERE relkind = 'f'

UNION ALL SELECT 'table', 'table events', 'it is unlogged: a crash of the server empties it', 'ALTER TABLE events SET LOGGED'
FROM target WHERE relpersistence = 'u'

UNION ALL SELECT 'table', 'rule ' || quote_ident(r.rulename), 'PostgreSQL takes no ON CONFLICT on a table with a rule for INSERT or UPDATE',
  format('DROP RULE %I ON events; a trigger can do the same', r.rulename)
FROM target t JOIN pg_rewrite r ON r.ev_class = t.oid
WHERE t.relkind IN ('r', 'p') AND r.ev_type IN ('2', '3') AND r.ev_enabled <> 'D'

UNION ALL SELECT 'table', 'column ' || quote_ident(o.name), coalesce('it is of type ' || p.type, 'it is missing') || ', EventPulse writes ' || o.types[1],
  'make it what the migrations made it'
FROM target, ours o LEFT JOIN present p ON p.attname = o.name
WHERE p.type IS NULL OR p.type <> ALL (o.types)

UNION ALL SELECT 'table', 'column ' || quote_ident(p.attname), 'its value is generated, and EventPulse writes one', format('ALTER TABLE events ALTER %I DROP EXPRESSION', p.attname)
FROM present p JOIN ours o ON o.name = p.attname WHERE p.attgenerated <> '' OR p.attidentity = 'a'

UNION ALL SELECT 'table', 'column ' || quote_ident(p.attname), 'it must have a value, has no default, and EventPulse does not fill it',
  format('ALTER TABLE events ALTER %1$I SET DEFAULT ..., or ALTER %1$I DROP NOT NULL', p.attname)
FROM present p WHERE p.attnotnull AND NOT p.atthasdef AND p.attidentity = '' AND p.attname NOT IN (SELECT name FROM ours)
  AND NOT EXISTS ( -- a trigger may fill it
    SELECT FROM pg_trigger g WHERE g.tgrelid = p.attrelid AND g.tgtype & 7 = 7 AND g.tgenabled <> 'D')

UNION ALL SELECT 'permissions', 'table events', 'this role may not write to it and read from it', format('GRANT SELECT, INSERT ON events TO %I', current_user)
FROM target t WHERE EXISTS (
  SELECT FROM present p JOIN ours o ON o.name = p.attname
  WHERE NOT has_column_privilege(t.oid, p.attnum, 'INSERT') OR o.name = 'event_id' AND NOT has_column_privilege(t.oid, p.attnum, 'SELECT'))

UNION ALL SELECT 'permissions', 'table events', 'row-level security lets this role write nothing or read nothing',
  format('CREATE POLICY eventpulse ON events TO %I USING (true) WITH CHECK (true)', current_user)
FROM target t WHERE row_security_active(t.oid) AND NOT (
  EXISTS (SELECT FROM pg_policy WHERE polrelid = t.oid AND polpermissive AND polcmd IN ('a', '*'))
  AND EXISTS (SELECT FROM pg_policy WHERE polrelid = t.oid AND polpermissive AND polcmd IN ('r', '*')))

UNION ALL SELECT 'encoding', 'database ' || quote_ident(current_database()), 'its encoding is ' || current_setting('server_encoding') || ', which cannot hold every event',
  format('make it anew: createdb --encoding UTF8 --template template0 %s', quote_ident(current_database()))
WHERE current_setting('server_encoding') <> 'UTF8'

ORDER BY 1, 2, 3`

// problems implements backend.
func (p *postgres) problems(ctx context.Context) ([]Problem, error) {
	rows, err := p.db.QueryContext(ctx, problemsStatement)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var found []Problem
	for rows.Next() {
		var problem Problem
		if err := rows.Scan(&problem.Topic, &problem.Object, &problem.Detail, &problem.Remedy); err != nil {
			return nil, err
		}
		found = append(found, problem)
	}
	return found, rows.Err()
}
