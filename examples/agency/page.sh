# What the page calls: curl, with the headers that the services read. `. examples/agency/page.sh` in bash.
office=${OFFICE:-http://localhost:8000}
mailer=${MAILER:-http://localhost:8001}
dash=dash.marketingmaster.example

# call HOST SESSION URL [more for curl]: -d JSON, -H 'Idempotency-Key: ...', -H 'X-Reason: ...'
call() {
  local host=$1 session=$2 url=$3
  shift 3
  case " $* " in *" -d "*) set -- "$@" -H 'Content-Type: application/json' ;; esac
  curl -s "$url" -H "Host: $host" -H "Authorization: Bearer $session" "$@"
  echo
}

# get NAME...: fields of the JSON that comes in; of a list how long it is, `list.0` its first.
get() {
  python3 -c '
import functools, json, sys
def step(found, name): return found[int(name)] if isinstance(found, list) else found[name]
found = json.load(sys.stdin)
values = [functools.reduce(step, path.split("."), found) for path in sys.argv[1:]]
print(*(len(value) if isinstance(value, list) else value for value in values))' "$@"
}

# login HOST EMAIL PASSWORD: a session.
login() { call "$1" '' "$office/login" -d "{\"email\": \"$2\", \"password\": \"$3\"}" | get token; }

# clock INSTANT: sets the clock of both services.
clock() { call "$dash" '' "$office/trying/clock" -d "{\"at\": \"$1\"}"; }

# night: what the nightly job of the office does.
night() { curl -s -X POST "$office/trying/night" | python3 -c 'import json, sys; print(*json.load(sys.stdin), sep="\n")'; }

# redraw: draws again, from a statement that comes in: clients in the order of the HMAC-SHA-256 of their ids, by the seed.
redraw() {
  python3 -c '
import hmac, json, sys
month = json.load(sys.stdin)
seed = bytes.fromhex(month["seed"])
order = sorted(month["draw"], key=lambda client: hmac.digest(seed, client.encode(), "sha256"))
print("the same" if month["disabled"] == order[:month["unpaid"]] else "another")'
}

# mail ADDRESS: the token of the last mail to it.
mail() { curl -s "$office/trying/mail/$1" | get token; }

# confirm HOST ACCOUNT ADDRESS PASSWORD: what whoever reads the mail does with it; a session.
confirm() { call "$1" '' "$office/confirm" -d "{\"account\": \"$2\", \"token\": \"$(mail "$3")\", \"password\": \"$4\"}" | get token; }
