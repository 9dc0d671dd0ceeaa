-- Names of the plan's tables that are ordinary tables in public: our views would need their names.
SELECT relname
  FROM pg_catalog.pg_class
 WHERE relnamespace = to_regnamespace('public')
   AND relkind IN ('r', 'p')
   AND relname IN ('clash_results', 'conversion_results', 'tester_results', 'diff_results')
 ORDER BY relname
