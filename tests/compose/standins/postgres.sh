#!/bin/bash
# Postgres with the roles Supabase has before anybody migrates, data in /data.
set -euo pipefail
bin=/usr/lib/postgresql/15/bin
install -d -o postgres -g postgres /data /run/postgresql
run() { setpriv --reuid postgres --regid postgres --init-groups "$@"; }
if [ ! -e /data/ready ]; then
  rm -rf /data/pg
  run "$bin/initdb" -D /data/pg -U supabase_admin --auth-local=trust --auth-host=scram-sha-256 \
    --locale=C.UTF-8 >&2
  echo "host all all all scram-sha-256" >> /data/pg/pg_hba.conf
  run "$bin/pg_ctl" -D /data/pg -w -o "-c listen_addresses=''" start >&2
  run psql -U supabase_admin -d postgres -v ON_ERROR_STOP=1 -v pass="$POSTGRES_PASSWORD" >&2 <<'SQL'
create role postgres login createrole createdb bypassrls password :'pass';
create role anon nologin noinherit;
create role authenticated nologin noinherit;
create role service_role nologin noinherit bypassrls;
create role authenticator login noinherit password :'pass';
grant anon, authenticated, service_role to authenticator;
grant anon, authenticated, service_role to postgres;
alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter database postgres owner to postgres;
alter schema public owner to postgres;
SQL
  run "$bin/pg_ctl" -D /data/pg -w stop >&2
  touch /data/ready
fi
rm -f /data/pg/postmaster.pid
exec setpriv --reuid postgres --regid postgres --init-groups \
  "$bin/postgres" -D /data/pg -c listen_addresses='*'
