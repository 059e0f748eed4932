# inspect.sh NAME: a container, by its whole name or ID; nothing where there is none. Exit 3: the engine does not answer.
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
section() { printf '\n@@ %s\n' "$*"; }
engine=$(timeout 20 docker info --format '{{.CgroupDriver}} {{.DockerRootDir}}' 2>&1 </dev/null) || { printf '%s\n' "$engine" >&2; exit 3; }
section engine
printf '%s\n' "$engine"
# By its ID: Docker takes the beginning of one for a name, too.
all=$(timeout 20 docker container ls --all --no-trunc --format '{{.ID}} {{.Names}}' 2>&1 </dev/null) || { printf '%s\n' "$all" >&2; exit 3; }
id=$(printf '%s\n' "$all" | awk -v name="$1" '$1 == name || $2 == name {print $1}')
section inspected
if [ -n "$id" ]; then timeout 20 docker container inspect -- "$id" </dev/null || exit 3; fi
section end
