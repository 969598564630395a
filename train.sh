#!/usr/bin/env bash
# The quick start of the earlier scripts: trains on names by their recipe (500 steps, squared relu) and saves model.json.
# Takes the flags of `microgpt train`. Sets the project up on the first call.
set -euo pipefail
exec node "$(dirname "${BASH_SOURCE[0]}")/bin/microgpt.js" train names --recipe persistence --output model.json "$@"
