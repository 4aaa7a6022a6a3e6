#!/bin/sh
# Make .venv from a bare CPython: pinned and hashed packages, then this project (its build hook packs the front-end files and compiles translations).
set -eu
python="$1"
has_uv() { [ -z "${ZHONGSHU_NO_UV:-}" ] && command -v uv >/dev/null 2>&1; }
is_usable() { .venv/bin/python -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' 2>/dev/null; }

# without npm the build fetches a Node of its own, in an environment of its own
isolation="--no-build-isolation"
command -v npm >/dev/null 2>&1 && command -v node >/dev/null 2>&1 || isolation=""

is_usable || rm -rf .venv
if has_uv; then
    is_usable || uv venv --quiet --python "$python" .venv
    uv pip sync --quiet --python .venv/bin/python --require-hashes requirements.txt
    uv pip install --quiet --python .venv/bin/python --no-deps $isolation -e .
else
    if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        rm -rf .venv
        # Debian keeps ensurepip apart: where it is missing, a pip of the system can fill an environment without one
        if ! "$python" -m venv .venv >/dev/null 2>&1; then
            rm -rf .venv
            "$python" -m pip --version >/dev/null 2>&1 && "$python" -m venv --without-pip .venv || {
                echo "could not make a virtual environment with $python; on Debian: apt-get install python3-venv (or install uv)" >&2
                rm -rf .venv
                exit 1
            }
        fi
    fi
    pip() {
        if .venv/bin/python -m pip --version >/dev/null 2>&1; then
            .venv/bin/python -m pip "$@"
        else
            "$python" -m pip --python .venv/bin/python "$@"
        fi
    }
    pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
    pip install --quiet --disable-pip-version-check --no-deps $isolation -e .
fi
# the build hook has done this in most cases; an editable install that was there already does not run it again
.venv/bin/python frontend/vendor.py
.venv/bin/python frontend/messages.py compile
