# health.sh SECONDS KIND ADDRESS PORT [PATH]: ask a guest from its host until it answers, or time is over.
left=$1 kind=$2 address=$3 port=$4 path=${5:-}
now() { read -r up _ </proc/uptime; echo "${up%.*}"; }
ends=$(($(now) + left))
# include host/probe
net() { timeout 2 "$@"; }
while ! said=$(probe "$kind" "$address" "$port" "$path" 2>&1 </dev/null); do
    [ "$(now)" -lt "$ends" ] || { printf '%s\n' "$said" | tail -n 5 >&2; exit 1; }
    sleep 0.2
done
