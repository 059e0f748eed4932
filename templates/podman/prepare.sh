# prepare.sh BIN HOOKS_DIR GUARD: what Podman has to know on this host. Moves do this at once.
umask 077

# The hook that ends a container before any of its code runs (see `stage`), for one Podman command only.
# In the container's own file system this path normally does not exist; either way starting fails.
refuse() {
    [ ! -x "$1/refuse-start" ] || [ ! -s "$2/refuse-start.json" ] || return 0
    mkdir -p "$1" "$2" || return
    printf '#!/bin/sh\nexit 1\n' > "$1/refuse-start.$$" && chmod 0700 "$1/refuse-start.$$" &&
        mv -f "$1/refuse-start.$$" "$1/refuse-start" || return
    printf '{"version": "1.0.0", "hook": {"path": "%s"}, "when": {"always": true}, "stages": ["startContainer"]}\n' \
        "$1/refuse-start" > "$2/refuse-start.json.$$" && mv -f "$2/refuse-start.json.$$" "$2/refuse-start.json" && sync "$2"
}

# Whoever starts a container that Reconciler made, a person, a unit, a boot, has it asked of the guard. A restore does not
# come by here. `podman kube generate` writes the annotation's key with `/NAME` behind it. The hook stays harmless when Reconciler's folder is gone. It is where Podman looks for hooks: in the
# first folder that its configuration names, else in Podman's default, else, where that cannot be written, in /etc,
# which the configuration is then made to name too.
ask() {
    root=${1%/bin/*}
    hook='{"version": "1.0.0", "hook": {"path": "/bin/sh", "args": ["sh", "-c", "[ ! -r '$1' ] || exec /bin/sh '$1' may-start"]},
"when": {"annotations": {"^org\\.criu\\.config(/|$)": "^'$root'/workloads/"}}, "stages": ["createContainer"]}'
    usual=/usr/share/containers/oci/hooks.d etc=/etc/containers
    folder=$(cat /usr/share/containers/containers.conf $etc/containers.conf $etc/containers.conf.d/*.conf 2>/dev/null |
        sed 's/#.*//' | tr '\n' ' ' | grep -o 'hooks_dir *= *\[[^]]*\]' | tail -n 1 | cut -d'"' -f2)
    [ -n "$folder" ] || folder=$usual
    file=$folder/reconciler.json
    [ "$(cat "$file" 2>/dev/null)" != "$hook" ] || return 0
    if ! { mkdir -p "$folder" && : > "$file.$$"; } 2>/dev/null; then
        [ "$folder" = $usual ] || { echo "Podman looks for hooks in $folder, which cannot be written" >&2; return 1; }
        folder=$etc/oci/hooks.d
        file=$folder/reconciler.json
        mkdir -p "$folder" $etc/containers.conf.d &&
            printf '[engine]\nhooks_dir = ["%s", "%s"]\n' "$folder" $usual > $etc/containers.conf.d/reconciler.conf || return
    fi
    printf '%s\n' "$hook" > "$file.$$" && chmod 0644 "$file.$$" && mv -f "$file.$$" "$file" && sync "$folder"
}

refuse "$1" "$2" && ask "$3"
