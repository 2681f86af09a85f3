#!/usr/bin/env bash
# The main job by HTTP alone: prescribe, invite, film, measure, score, nudge, audit.
#
#   make run                      # in another terminal
#   docs/walkthrough.sh [CLIP]    # CLIP defaults to a committed sit-to-stand recording
#
# PORT and HOMESTRETCH_DATA as for `make run`; the demo login is read from the data folder. Needs curl and the checkout's Python.
set -euo pipefail
cd "$(dirname "$0")/.."

BASE=${BASE:-http://127.0.0.1:${PORT:-8000}}
CLIP=${1:-tests/data/clips/26_sit_to_stand_side.mp4}
PART=$((256 * 1024))
PYTHON=${PYTHON:-.venv/bin/python}
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
field() { "$PYTHON" -c 'import json,sys
value = json.load(sys.stdin)
for key in sys.argv[1].split("."):
    value = value[int(key)] if isinstance(value, list) else value[key]
print(json.dumps(value) if isinstance(value, (dict, list)) else value)' "$1"; }
days_ago() { "$PYTHON" -c 'import datetime,sys; print(datetime.date.today() - datetime.timedelta(days=int(sys.argv[1])))' "$1"; }
call() { # METHOD PATH TOKEN [JSON]
  local arguments=(-sS --fail-with-body -X "$1" "$BASE$2" -H "Authorization: Bearer $3")
  [ "$1" = POST ] && arguments+=(-H "Idempotency-Key: $RANDOM$RANDOM$RANDOM")
  [ $# -ge 4 ] && arguments+=(-H 'Content-Type: application/json' -d "$4")
  curl "${arguments[@]}"
}

logins=$(cat "${HOMESTRETCH_DATA:-.data}/demo-logins.json")
THERAPIST=${THERAPIST:-$(field staff.0.email <<<"$logins")}
PASSWORD=${PASSWORD:-$(field staff.0.password <<<"$logins")}

say "1. The therapist signs in"
signed_in=$(curl -sS --fail-with-body "$BASE/v1/auth/sign-in" -H 'Content-Type: application/json' \
  -d "{\"email\": \"$THERAPIST\", \"password\": \"$PASSWORD\"}")
therapist=$(field tokens.access_token <<<"$signed_in")
organization=$(field me.organization.id <<<"$signed_in")
location=$(call GET /v1/locations "$therapist" | field 0.id)
echo "signed in at organization $organization"

say "2. ...registers a patient, opens an episode of care and prescribes sit-to-stand, 1 x 5, every day since the day before yesterday"
patient=$(call POST /v1/patients "$therapist" "{\"location_id\": \"$location\", \"given_name\": \"Robin\",
  \"family_name\": \"Walkthrough\", \"birth_date\": \"1958-04-12\", \"email\": \"robin.$RANDOM@example.com\"}" | field id)
episode=$(call POST "/v1/patients/$patient/episodes" "$therapist" "{\"diagnosis\": \"Knee osteoarthritis, right\",
  \"started_on\": \"$(days_ago 2)\"}" | field id)
program=$(call POST "/v1/episodes/$episode/programs" "$therapist" "{\"title\": \"Getting up with ease\",
  \"starts_on\": \"$(days_ago 2)\", \"prescriptions\": [{\"exercise_id\": \"sit_to_stand\", \"side\": \"both\",
  \"sets\": 1, \"repetitions\": 5, \"days_per_week\": 7}]}")
prescription=$(field prescriptions.0.id <<<"$program")
program=$(field id <<<"$program")
echo "program $program"

say "3. The patient accepts the invitation: a link, and a one-time code that travels apart from it"
invitation=$(call POST "/v1/patients/$patient/invitation" "$therapist")
link=$(field link <<<"$invitation")
accepted=$(curl -sS --fail-with-body "$BASE/v1/auth/invitations" -H 'Content-Type: application/json' \
  -d "{\"token\": \"${link##*/}\", \"code\": \"$(field code <<<"$invitation")\", \"device_name\": \"Walkthrough\"}")
robin=$(field tokens.access_token <<<"$accepted")
call POST /v1/devices "$robin" '{"platform": "android", "name": "Walkthrough", "target": "walkthrough-device"}' >/dev/null
before=$(call GET "/v1/programs/$program/compliance" "$robin" | field score)
echo "compliance before: $before"

say "4. The patient films: an upload in parts of 256 KiB, the connection cut half-way, resumed where the server stands"
session=$(call POST /v1/exercise-sessions "$robin" "{\"program_id\": \"$program\",
  \"prescription_id\": \"$prescription\", \"evidence\": \"video\", \"pain_before\": 3}" | field id)
size=$(wc -c <"$CLIP")
b64() { printf %s "$1" | base64 | tr -d '\n'; }
upload=$(curl -sS --fail-with-body -D - -o /dev/null -X POST "$BASE/v1/uploads" -H "Authorization: Bearer $robin" \
  -H 'Tus-Resumable: 1.0.0' -H "Upload-Length: $size" \
  -H "Upload-Metadata: filetype $(b64 video/mp4),filename $(b64 clip.mp4),exercise_session_id $(b64 "$session")" \
  | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
offset_of() { # where the server stands; it may need a moment to notice that a connection is gone
  curl -sS --fail-with-body -I "$upload" -H "Authorization: Bearer $robin" -H 'Tus-Resumable: 1.0.0' \
    | tr -d '\r' | sed -n 's/^[Uu]pload-[Oo]ffset: //p'
}
send() { # OFFSET LENGTH [CURL OPTIONS]: prints the headers of the answer
  local offset=$1 length=$2; shift 2
  { tail -c +$((offset + 1)) "$CLIP" || true; } 2>/dev/null | head -c "$length" >"$WORK/part"
  curl -sS -D - -o /dev/null -X PATCH "$upload" -H "Authorization: Bearer $robin" -H 'Tus-Resumable: 1.0.0' \
    -H "Upload-Offset: $offset" -H 'Content-Type: application/offset+octet-stream' \
    --data-binary "@$WORK/part" "$@"
}
case $upload in /*) upload=$BASE$upload ;; esac
send 0 $PART >/dev/null
send $PART $PART --limit-rate 100k --max-time 1 >/dev/null 2>&1 || echo "connection cut during the second part"
until offset=$(offset_of); do sleep 0.5; done
resumed_at=$offset
echo "the server stands at byte $offset of $size"
while [ "$offset" -lt "$size" ]; do
  send "$offset" $PART >"$WORK/headers"
  offset=$(offset_of)
done
job=$(tr -d '\r' <"$WORK/headers" | sed -n 's/^[Hh]omestretch-[Jj]ob: //p')
echo "uploaded; job $job"

say "5. The analysis arrives"
curl -sSN --max-time 180 "$BASE/v1/jobs/$job/events" -H "Authorization: Bearer $robin" | grep '^data:' | tail -n 1
analysis=$(call GET "/v1/exercise-sessions/$session/analysis" "$therapist")
count=$(field analysis.count <<<"$analysis")
echo "repetitions: $count, range of motion: $(field analysis.rom <<<"$analysis")"

say "6. Compliance changes, and the therapist reads it"
for _ in $(seq 60); do
  after=$(call GET "/v1/programs/$program/compliance" "$therapist" | field score)
  [ "$after" != "$before" ] && break
  sleep 0.5
done
echo "compliance after: $after"

say "7. Yesterday was missed: one nudge is in the outbox"
call POST "/v1/patients/$patient/compliance/evaluation" "$therapist" '{}' | field nudge
nudges=$(call GET "/v1/patients/$patient/notifications" "$therapist")
nudged=$("$PYTHON" -c 'import json,sys; print(len(json.load(sys.stdin)["items"]))' <<<"$nudges")
echo "$nudged nudge: $(field items.0.title <<<"$nudges"): $(field items.0.body <<<"$nudges") ($(field items.0.state <<<"$nudges"))"

say "8. The audit log verifies"
"$PYTHON" -m api.cli audit verify --organization "$organization"

"$PYTHON" - "$patient" "$program" "$session" "$organization" <<PYTHON
import json, sys
names = ("patient", "program", "session", "organization")
print(json.dumps({**dict(zip(names, sys.argv[1:])), "count": $count, "before": $before, "after": $after,
                  "resumed_at": $resumed_at, "nudges": $nudged}))
PYTHON
