# prepare.sh BIN HOOKS_DIR: the hook that ends a container before any of its code runs (see `stage`).
# In the container's own file system this path normally does not exist; either way starting fails. Moves do this at once.
umask 077
[ -x "$1/refuse-start" ] && [ -s "$2/refuse-start.json" ] && exit 0
mkdir -p "$1" "$2" || exit 1
printf '#!/bin/sh\nexit 1\n' > "$1/refuse-start.$$" && chmod 0700 "$1/refuse-start.$$" &&
    mv -f "$1/refuse-start.$$" "$1/refuse-start" || exit 1
printf '{"version": "1.0.0", "hook": {"path": "%s"}, "when": {"always": true}, "stages": ["startContainer"]}\n' \
    "$1/refuse-start" > "$2/refuse-start.json.$$" && mv -f "$2/refuse-start.json.$$" "$2/refuse-start.json" && sync "$2"
