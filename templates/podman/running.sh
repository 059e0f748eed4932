# running.sh: what runs on a Podman host, inspected whole, and the images it was made of. Changes nothing.
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
command -v podman >/dev/null 2>&1 || exit 3
ids=$(timeout 20 podman ps --quiet --no-trunc --filter status=running --filter status=paused 2>/dev/null </dev/null) || exit 4
echo '@@ containers'
# shellcheck disable=SC2086
[ -z "$ids" ] || timeout 20 podman container inspect -- $ids 2>/dev/null </dev/null || exit 4
printf '\n@@ images\n'
# shellcheck disable=SC2086,SC2046
[ -z "$ids" ] || timeout 20 podman image inspect -- $(timeout 20 podman container inspect --format '{{.Image}}' -- $ids 2>/dev/null </dev/null | sort -u) 2>/dev/null </dev/null || exit 4
printf '\n@@ networks\n'
timeout 20 podman network ls --format json 2>/dev/null </dev/null
printf '\n@@ end\n'
