-- What was applied, in order; an old history has no names.
SELECT version, to_jsonb(m) - 'statements' ->> 'name'
  FROM supabase_migrations.schema_migrations m
 ORDER BY version
