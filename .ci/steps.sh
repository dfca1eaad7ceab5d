# shellcheck shell=bash
# The parts that .ci/run and .ci/nightly share: a fresh copy of the checkout, and timed steps. Sourced.

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
copy="" # the fresh copy, once there is one
limit_s=""
summary=()
failures=0

# Ends with one line that says what is wrong with the machine.
refuse() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    exit 2
}

# Checks for a Python that can make virtual environments.
need_python() {
    command -v python3 >/dev/null || refuse "there is no python3; install CPython 3.11 or later"
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        refuse "$(python3 --version 2>&1) is too old; CPython 3.11 or later must come first on the PATH"
    python3 -c 'import ensurepip, venv' 2>/dev/null ||
        refuse "this python3 has no ensurepip, so it cannot make virtual environments; install the package python3-venv"
}

# Copies the checkout to a temporary folder, without what earlier runs have left, and goes there. It is removed
# at the end. What the person at the machine has in .venv and out is not touched.
make_copy() {
    copy=$(mktemp -d "${TMPDIR:-/tmp}/genstage-ci.XXXXXX")
    trap 'rm -rf "$copy"' EXIT
    mkdir "$copy/checkout"
    tar -C "$checkout" -cf - --exclude=./.git --exclude=./.venv --exclude=./out --exclude=./build \
        --exclude=./dist --exclude='*_cache' --exclude=__pycache__ --exclude='.coverage*' . |
        tar -C "$copy/checkout" -xf -
    cd "$copy/checkout" || refuse "the copy cannot be entered"
}

# Prints the one line of the README's n-th block of shell commands.
readme_line() {
    local line
    line=$(awk -v wanted="$1" '/^```sh$/ { block++; inside = 1; next }
        /^```/ { inside = 0 }
        inside && block == wanted' README.md)
    [[ -n $line && $line != *$'\n'* ]] || refuse "block $1 of shell commands in README.md is not one line"
    printf '%s\n' "$line"
}

# Runs a line of shell under a name, and goes on when it fails: the summary tells.
step() {
    local name=$1 line=$2 start=$SECONDS outcome=passed
    local -a bounded=()
    printf '\n== %s: %s\n' "$name" "$line"
    if [[ -n $limit_s ]] && command -v timeout >/dev/null; then
        bounded=(timeout --kill-after=10 "$((limit_s > SECONDS ? limit_s - SECONDS : 1))")
    fi
    if ! ${bounded[@]+"${bounded[@]}"} bash -euo pipefail -c "$line"; then
        outcome=FAILED
        failures=$((failures + 1))
    fi
    summary+=("$(printf '%-8s %5d s  %s' "$outcome" "$((SECONDS - start))" "$name")")
}

# Ends here if a step has failed: what follows takes long, and would tell nothing more.
stop_if_failed() {
    ((failures == 0)) || finish || exit 1
}

# Prints the time of each step and ends with the outcome of all.
finish() {
    printf '\n'
    printf '%s\n' "${summary[@]}"
    printf '%-8s %5d s\n' total "$SECONDS"
    if [[ -n $limit_s ]] && ((SECONDS > limit_s)); then
        printf 'longer than %d s\n' "$limit_s"
        failures=$((failures + 1))
    fi
    ((failures == 0))
}
