-- Record one migration, with its text.
INSERT INTO supabase_migrations.schema_migrations (version, name, statements)
VALUES (%(version)s, %(name)s, ARRAY[%(text)s])
