#!/bin/sh
# What the machine itself must have: `machine.sh run` and `machine.sh test` see to it, `machine.sh python` prints
# the Python to use. As root on Debian or Ubuntu, missing packages are installed; everywhere else this stops at
# once with the one command to type.
set -eu

MINIMUM_NODE=20

fail() {
    echo "homestretch: $1" >&2
    exit 2
}

suitable_python() {
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    fail "Python 3.11 or newer is needed (https://www.python.org/downloads/, or your system's packages)."
}

has_library() {
    # ldconfig is not on everybody's PATH.
    PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null | grep -q "$1"
}

missing_on_debian() {
    has_library libEGL.so.1 || printf ' libegl1'
    has_library libGLESv2.so.2 || printf ' libgles2'
    [ "${HOMESTRETCH_MONGODB_URI:-}" ] || has_library libcurl.so.4 || printf ' libcurl4'
    "$python" -c 'import ensurepip, venv' 2>/dev/null || [ -e .venv/.created ] || printf ' %s-venv' "$python"
    if [ "$1" = test ]; then
        command -v chromium >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 || printf ' chromium'
    fi
}

see_to_node() {
    command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 ||
        fail "Node $MINIMUM_NODE or newer with npm is needed (https://nodejs.org/, or your system's packages)."
    major=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
    [ "$major" -ge "$MINIMUM_NODE" ] || fail "Node $MINIMUM_NODE or newer is needed; this is $(node --version)."
}

see_to_libraries() {
    [ "$(uname -s)" = Linux ] || return 0
    missing=$(missing_on_debian "$1")
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null 2>&1 ||
        fail "missing on this machine (names of Debian packages):$missing"
    [ "$(id -u)" = 0 ] || fail "please type: sudo apt-get install --no-install-recommends$missing"
    echo "Installing$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update >/dev/null
    # shellcheck disable=SC2086  # a list of package names
    apt-get -qq install --yes --no-install-recommends $missing >/dev/null ||
        fail "apt-get could not install$missing"
}

python=$(suitable_python)
case "${1:-}" in
python)
    echo "$python"
    ;;
run | test)
    see_to_node
    see_to_libraries "$1"
    ;;
*)
    fail "usage: setup/machine.sh run|test|python"
    ;;
esac
