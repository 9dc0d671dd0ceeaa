#!/usr/bin/env bash
# Brings Supabase's docker folder at a pinned release into deploy/supabase/upstream, untouched, and
# remembers what it looked like. Does nothing if it is there already and unchanged.
set -euo pipefail
cd "$(dirname "$0")"

TAG=${SUPABASE_TAG:-self-hosted/v0.8.1}
SOURCE=${SUPABASE_SOURCE:-https://github.com/supabase/supabase}

say() { printf '%s\n' "$*" >&2; }

# What Supabase wrote, not what runs in it: no data, no .env.
sums() {
  (cd "$1" && find . -type f ! -path './volumes/db/data/*' ! -path './volumes/storage/*' \
    ! -path './volumes/snippets/*' ! -name .env ! -name .supabase-version -print0 |
    LC_ALL=C sort -z | xargs -0 sha256sum)
}

if [ -d upstream ]; then
  if [ ! -e upstream.tag ] || [ "$(cat upstream.tag)" != "$TAG" ]; then
    say "upstream is $(cat upstream.tag 2>/dev/null || echo unknown), not $TAG."
    say "Upgrade it by Supabase's own tool: cd $PWD/upstream && ./update.sh --dry-run"
    say "then write the new tag into $PWD/upstream.tag and run: $0 --accept"
    [ "${1:-}" = --accept ] || exit 1
  fi
  if [ "${1:-}" = --accept ]; then
    sums upstream > upstream.sha256
  elif ! (cd upstream && sha256sum --quiet --check ../upstream.sha256 >&2); then
    say "Files of Supabase were changed. Put your changes into an override file of your own;"
    say "after an upgrade by ./update.sh accept the new state: $0 --accept"
    exit 1
  fi
else
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  git -c advice.detachedHead=false clone --quiet --depth 1 --filter=blob:none --sparse \
    --branch "$TAG" "$SOURCE" "$work/supabase"
  git -C "$work/supabase" sparse-checkout set docker
  [ -f "$work/supabase/docker/docker-compose.yml" ] ||
    { say "there is no docker/docker-compose.yml at $TAG"; exit 1; }
  git -C "$work/supabase" rev-parse HEAD > upstream.commit
  cp -R "$work/supabase/docker" "$work/upstream"
  sums "$work/upstream" > upstream.sha256
  printf '%s\n' "$TAG" > upstream.tag
  mv "$work/upstream" upstream
  say "brought in $TAG, commit $(cat upstream.commit)"
fi

# The gateway ends answers after 30 s; a large file takes longer. From Supabase's file, not instead of it.
listeners=upstream/volumes/api/envoy/lds.template.yaml
if [ -f "$listeners" ]; then
  sed -E 's/^([[:space:]]*(- )?timeout:[[:space:]]*"?)(30|60)s/\1600s/' "$listeners" > listeners.yaml
fi
