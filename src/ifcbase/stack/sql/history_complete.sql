-- How many of the history's columns there are: 0 when there is no history, 3 when it is complete.
SELECT count(*)
  FROM pg_attribute
 WHERE attrelid = to_regclass('supabase_migrations.schema_migrations')
   AND attname IN ('version', 'statements', 'name')
   AND NOT attisdropped
