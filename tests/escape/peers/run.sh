#!/bin/sh
# Makes the battery's attacks on other sandboxes and prints a Markdown table. Optional: each peer that
# is not installed is left out. Run it on a machine where an attack that succeeds does no harm: every
# attack aims at files and processes of its own, but the peers are somebody else's code.
#
#   PEERS=/directory/with/node_modules SANDLOCK=/path/to/sandlock tests/escape/peers/run.sh
#
# Versions the documented results are from: bubblewrap 0.8.0, @openai/codex 0.169.0,
# @anthropic-ai/sandbox-runtime 0.0.78, sandlock 0.9.0.
set -eu
root=$(cd "$(dirname "$0")/../../.." && pwd)
battery=${BATTERY:-${CARGO_TARGET_DIR:-$root/target}/debug/ringfence-escape}
[ -x "$battery" ] || (cd "$root" && cargo build -p ringfence-escape)
place=$(mktemp -d /var/tmp/ringfence-peers.XXXXXX)
trap 'rm -rf "$place"' EXIT INT TERM
chmod 755 "$place"
cp "$battery" "$place/ringfence-escape"
bin=${PEERS:-}/node_modules/.bin

attack() { # NAME LAUNCHER…
    name=$1
    shift
    mkdir -p "$place/base"
    timeout 900 "$place/ringfence-escape" against "$place/base" "$@" > "$place/$name.jsonl" \
        2> /dev/null || echo "$name: ended early" >&2
    rm -rf "$place/base"
    printf '%s\n' "$name" >> "$place/order"
}

: > "$place/order"
attack "no sandbox"
if command -v bwrap > /dev/null; then
    attack "bwrap $(bwrap --version | cut -d' ' -f2)" bwrap --unshare-all --die-with-parent \
        --new-session --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --bind '{ws}' '{ws}' \
        --chdir '{ws}' --
fi
if [ -x "$bin/codex" ]; then
    attack "codex $("$bin/codex" --version | cut -d' ' -f2)" "$bin/codex" sandbox \
        -P :workspace --
fi
if [ -x "$bin/srt" ]; then
    # It takes one line for a shell; the settings allow writing where it starts and nothing else.
    printf '%s' '{"network":{"allowedDomains":[],"deniedDomains":[]},"filesystem":{"denyRead":["~/.ssh"],"allowWrite":["."],"denyWrite":[]}}' \
        > "$place/srt.json"
    attack "srt $("$bin/srt" --version)" "$bin/srt" --settings "$place/srt.json"
fi
sandlock=${SANDLOCK:-sandlock}
if command -v "$sandlock" > /dev/null; then
    attack "sandlock $("$sandlock" --version | cut -d' ' -f2)" "$sandlock" run \
        --fs-read /usr --fs-read /bin --fs-read /lib --fs-read /lib64 --fs-read /etc --fs-read /proc \
        --fs-read /dev --fs-read '{exe}' --fs-write '{ws}' --fs-write /dev/null --
fi
python3 "$root/tests/escape/peers/table.py" "$place"
