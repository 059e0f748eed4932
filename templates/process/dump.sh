# dump.sh HOME CONFIG OPTION...: let CRIU dump a tree, and end it unless its action script says otherwise.
# shellcheck disable=SC2154 # what tree.sh gives
set -eu
home=$1 config=$2
shift 2
# include tree
pid=$(first)
[ -n "$pid" ] || { echo 'it does not run' >&2; exit 1; }
if [ "$(setting network)" != host ]; then
    net=$(readlink "/proc/$pid/ns/net")
    net=${net#net:}
    set -- "$@" --external "net$net:net"
else # CRIU says nothing of the host's own network, by which its action script would know that the tasks are stopped
    set -- "$@" --freeze-cgroup "$group"
fi
for one in $(carried | tr "$tab" :); do set -- "$@" --external "mnt[${one#*:}]:carried-${one%%:*}"; done
exec criu dump --config "$config" --tree "$pid" --work-dir "$home" --images-dir "$home/checkpoint" --log-file dump.log -v4 \
    --manage-cgroups=ignore "$@"
