-- Every row security policy, with its roles and both conditions.
SELECT schemaname, tablename, policyname, permissive, roles::text[], cmd, qual, with_check
  FROM pg_policies
 ORDER BY schemaname, tablename, policyname
