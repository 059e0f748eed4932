# create.sh DOCKER-CREATE... < SECRETS: make a container. SECRETS: lines of a variable and its value in base64, which are in
# no argument list.
set -eu
(umask 077 && mkdir -p /var/lib/reconciler/docker) # from now on a Docker that is silent, or gone, leaves something unknown
while read -r name value; do
    value=$(printf %s "$value" | base64 -d; echo .)
    value=${value%.}
    export "$name=$value"
done
exec "$@" </dev/null
