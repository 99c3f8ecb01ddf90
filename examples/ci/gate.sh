#!/usr/bin/env bash
# Render, measure, compare with the baseline; what a CI job calls.
#
#   gate.sh SYSTEM DATASET METRICS BASELINE [GATE]
#
# BASELINE is a run folder without its audio: run.json, outputs.parquet and scores.parquet suffice.
# Where it is missing, the new run becomes it, and the job passes. The verdict is written to
# verdict.md and verdict.xml (JUnit); the exit status is that of `bench compare`: 0 pass,
# 1 regression, 2 a mistake in the request, 3 cannot tell.
set -euo pipefail
system=$1 dataset=$2 metrics=$3 baseline=$4 gate=${5:-}

runs=$(mktemp -d)
trap 'rm -rf "$runs"' EXIT
bench run --system "$system" --dataset "$dataset" --metrics "$metrics" --no-timing --out "$runs"
new=$(dirname "$runs"/*/run.json)

if [ ! -f "$baseline/run.json" ]; then
  mkdir -p "$baseline"
  cp "$new"/run.json "$new"/*.parquet "$baseline"
  echo "no baseline at $baseline: this run is it now" >&2
  exit 0
fi
status=0
bench compare "$baseline" "$new" ${gate:+--gate "$gate"} --format md --out verdict.md || status=$?
if [ -f verdict.md ]; then
  bench compare "$baseline" "$new" ${gate:+--gate "$gate"} --format junit --out verdict.xml || true
  cat verdict.md
  if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then cat verdict.md >> "$GITHUB_STEP_SUMMARY"; fi
fi
exit "$status"
