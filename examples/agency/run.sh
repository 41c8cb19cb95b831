#!/usr/bin/env bash
# Both services on a fresh state, until Ctrl-C: the office on port 8000, the mailer on port 8001. `make example` calls it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-$here/../../target/venv/bin/python}
export AGENCY_STATE=${AGENCY_STATE:-$here/../../target/example}
export AGENCY_SECRET=${AGENCY_SECRET:-$(head -c 32 /dev/urandom | base64)}
export AGENCY_STAFF_PASSWORD=${AGENCY_STAFF_PASSWORD:-let-me-in}
# The clock can be set and the mails be read over HTTP: leave this away in production.
export AGENCY_TRYING=1
export PYTHONPATH=$here
mkdir -p "$AGENCY_STATE"
rm -f "$AGENCY_STATE"/{sublet.db,office.db}{,-wal,-shm,-lock} "$AGENCY_STATE"/{dns.json,unsubscribed.jsonl}
printf %s "${AGENCY_START:-2026-10-01T08:00:00Z}" > "$AGENCY_STATE/clock"
"$python" -m office.setup
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
trap 'exit 0' INT TERM
"$python" -m office.main &
node "$here/node/main.mjs" &
echo "office: http://localhost:${AGENCY_OFFICE_PORT:-8000}, mailer: http://localhost:${AGENCY_MAILER_PORT:-8001}; Ctrl-C ends both"
wait -n
