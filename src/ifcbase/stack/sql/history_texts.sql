-- The text each migration was applied with, where the history has it whole (a list of one: others
-- record statement by statement); an old history has no texts.
SELECT version,
       CASE WHEN jsonb_typeof(to_jsonb(m) -> 'statements') = 'array'
            THEN CASE WHEN jsonb_array_length(to_jsonb(m) -> 'statements') = 1
                      THEN to_jsonb(m) -> 'statements' ->> 0
                 END
       END
  FROM supabase_migrations.schema_migrations m
 ORDER BY version
