-- Who is a member of which role, and whether he may grant it on.
SELECT g.rolname, m.rolname, bool_or(a.admin_option)
  FROM pg_auth_members a
  JOIN pg_roles g ON g.oid = a.roleid
  JOIN pg_roles m ON m.oid = a.member
 WHERE m.rolname !~ '^pg_'
 GROUP BY g.rolname, m.rolname
 ORDER BY g.rolname, m.rolname
