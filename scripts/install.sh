#!/bin/sh
# Make .venv from a bare CPython: pinned and hashed packages, then this project (its build hook packs the front-end files and compiles translations).
set -eu
python="$1"
if command -v uv >/dev/null 2>&1; then
    [ -x .venv/bin/python ] || uv venv --quiet --python "$python" .venv
    uv pip sync --quiet --python .venv/bin/python --require-hashes requirements.txt
else
    if [ ! -x .venv/bin/python ]; then
        "$python" -m venv .venv || { echo "could not make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 1; }
    fi
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
fi
.venv/bin/python frontend/vendor.py
.venv/bin/python frontend/messages.py compile
if command -v uv >/dev/null 2>&1; then
    uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation -e .
else
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
fi
