#!/usr/bin/env bash
# The quick start of the earlier scripts: prints 20 samples of model.json at temperature 0.6.
# Takes the flags of `microgpt generate`. Sets the project up on the first call.
set -euo pipefail
exec node "$(dirname "${BASH_SOURCE[0]}")/bin/microgpt.js" generate --model model.json --samples 20 --temperature 0.6 "$@"
