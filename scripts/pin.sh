#!/bin/sh
# Write requirements.txt anew from pyproject.toml: all extras and the development group, hashed, without index addresses. Needs uv.
exec uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet -o requirements.txt "$@"
