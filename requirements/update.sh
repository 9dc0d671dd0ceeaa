#!/bin/sh
# Pins every dependency, with hashes and without download addresses, for all platforms.
# Needs uv (`pip install uv`). Run after a change of the dependencies in pyproject.toml.
set -eu
cd "$(dirname "$0")/.."
pin() { uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --no-annotate --no-header --extra embedded --group build "$@" pyproject.toml; }
pin --output-file requirements/runtime.txt
pin --group dev --constraint requirements/runtime.txt --output-file requirements/dev.txt
