# observe.sh: what Docker has on a host, in one go. Changes nothing.
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
section() { printf '\n@@ %s\n' "$*"; }
quietly() { timeout 20 docker "$@" 2>/dev/null </dev/null; }
all() { # KIND LIST...: all objects of a kind, inspected; one that goes meanwhile is left out
    kind=$1
    shift
    section "$kind"
    # shellcheck disable=SC2046 # IDs are words
    set -- $(quietly "$@" | sort -u)
    [ $# = 0 ] || quietly "${kind%s}" inspect -- "$@"
}
if ! command -v docker >/dev/null 2>&1 || ! { [ -S /var/run/docker.sock ] || command -v dockerd >/dev/null 2>&1; }; then
    # Nothing of it can be asked. What it had is seen without it; containers of others than ours are nothing to us.
    section gone
    [ ! -d /var/lib/reconciler/docker ] || ls -d /var/lib/docker/containers/*/ 2>/dev/null
    section end
    exit 0
fi
section server
if ! said=$(timeout 20 docker version --format '{{json .Server}}' 2>&1 </dev/null); then
    # Installed and not in use, it is nobody's fault: the host serves other runtimes.
    if [ -d /var/lib/reconciler/docker ]; then section silent; else section gone; said=; fi
    printf '%s\n' "$said" | tail -n 3
    section end
    exit 0
fi
printf '%s\n' "$said"
section info
quietly info --format '{{json .}}'
section disk
df -B1 --output=avail "$(quietly info --format '{{.DockerRootDir}}')" 2>/dev/null | tail -1
all images image ls --all --quiet --no-trunc
all networks network ls --quiet --no-trunc
all volumes volume ls --quiet
all containers container ls --all --quiet --no-trunc
section end
