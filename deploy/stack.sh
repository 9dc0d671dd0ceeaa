#!/usr/bin/env bash
# Supabase and the pipeline, up or down, in numbered steps. Every step may be repeated; none deletes a
# volume. `stack.sh up 4` begins with step 4.
set -euo pipefail
cd "$(dirname "$0")"

ENV_FILE=${ENV_FILE:-$PWD/.env}
IFCBASE=${IFCBASE:-ifcbase}
UPSTREAM=$PWD/supabase/upstream
STEPS=7
export IFC_LISTENERS=$PWD/supabase/listeners.yaml
[ -f "$IFC_LISTENERS" ] || unset IFC_LISTENERS

supabase() {
  docker compose --env-file "$ENV_FILE" --project-directory "$UPSTREAM" \
    -f "$UPSTREAM/docker-compose.yml" -f supabase/docker-compose.ifc.yml \
    ${SUPABASE_METRICS:+-f supabase/docker-compose.metrics.yml} "$@"
}
pipeline() { docker compose --env-file "$ENV_FILE" -f compose.yml "$@"; }

step() { # number, what, how to mend it, command...
  local number=$1 what=$2 mend=$3
  shift 3
  [ "$number" -ge "$FROM" ] || return 0
  printf '%s/%s %s\n' "$number" "$STEPS" "$what"
  if ! "$@"; then
    printf '\nstep %s (%s) failed.\n%s\nThen go on with: deploy/stack.sh up %s\n' \
      "$number" "$what" "$mend" "$number" >&2
    exit 1
  fi
}

preflight() {
  docker info >/dev/null || return 1
  local version
  version=$(docker compose version --short) || return 1
  if [ "$(printf '%s\n2.24.4\n' "${version#v}" | sort -V | head -n 1)" != 2.24.4 ]; then
    echo "Compose is $version; 2.24.4 or newer is needed" >&2
    return 1
  fi
  if [ "$(nproc)" -lt 4 ] && ! grep -qs '^CLASH_CPUS=' "$ENV_FILE"; then
    echo "this machine has $(nproc) CPUs, the clash worker is allowed 4: set CLASH_CPUS and" \
      "CLASH_CORES in $ENV_FILE, or in the environment" >&2
    [ -n "${CLASH_CPUS:-}" ] || return 1
  fi
  local free
  free=$(df -Pk . | awk 'NR == 2 {print int($4 / 1048576)}')
  [ "$free" -ge "${MIN_DISK_GB:-20}" ] || { echo "only $free GB of disk are free" >&2; return 1; }
}

keys() {
  if [ ! -e "$ENV_FILE" ]; then
    local example=$UPSTREAM/.env.example
    if [ -e "$example" ]; then
      "$IFCBASE" keys generate --file "$ENV_FILE" --example "$example"
    else
      "$IFCBASE" keys generate --file "$ENV_FILE"
    fi
  fi
  local code=0
  "$IFCBASE" keys check --file "$ENV_FILE" || code=$?
  [ "$code" -eq 0 ] || [ "$code" -eq 3 ]
}

network() {
  docker network inspect ifc-pipeline-network >/dev/null 2>&1 ||
    docker network create ifc-pipeline-network >/dev/null
}

bring() {
  supabase/fetch.sh || return 1
  # Supabase's own tools look for .env beside its compose file.
  [ -e "$UPSTREAM/.env" ] || ln -s "$ENV_FILE" "$UPSTREAM/.env"
}

start_supabase() {
  [ -f supabase/listeners.yaml ] && export IFC_LISTENERS=$PWD/supabase/listeners.yaml
  supabase up --detach --wait
}

migrations() { pipeline build --quiet migrate && pipeline run --rm --no-deps migrate db migrate; }
buckets() { pipeline run --rm --no-deps migrate db buckets; }
start_pipeline() { pipeline up --detach --wait; }

up() {
  step 1 "preflight" "Start Docker, and install the Compose plugin 2.24.4 or newer; free some disk." preflight
  step 2 "Supabase's files" "Read the sentence above; without a network copy its docker folder to $UPSTREAM." bring
  step 3 "keys" "Correct $ENV_FILE as the table says; a new one: ifcbase keys generate --file $ENV_FILE" keys
  step 4 "network" "Look at: docker network ls" network
  step 5 "Supabase" "Look at: docker ps --all, and docker logs supabase-db" start_supabase
  step 6 "migrations and buckets" "Look at: docker logs supabase-db; is DATABASE_URL right?" migrate_all
  step 7 "the pipeline" "Look at: docker compose -f deploy/compose.yml logs" start_pipeline
  echo "Studio: $(sed -n 's/^SUPABASE_PUBLIC_URL=//p' "$ENV_FILE") (user and password: DASHBOARD_… in $ENV_FILE)"
}

migrate_all() { migrations && { buckets || echo "some of Storage's policies are missing, see above"; }; }

down() {
  # Containers only: volumes hold the ledger.
  pipeline down
  [ ! -d "$UPSTREAM" ] || supabase down
}

FROM=${2:-1}
case ${1:-} in
  up) up ;;
  down) down ;;
  *) echo "usage: $0 up [step] | down" >&2; exit 2 ;;
esac
