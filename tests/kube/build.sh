#!/bin/sh
# build.sh ROOT SOURCES TARGET: the API server of SOURCES, etcd and kubectl, in TARGET; built with what ROOT has.
# To be run in a mount namespace of its own. Go's cache stays in ROOT, so that only the first build takes minutes.
set -eu
root=$1 sources=$2 target=$3
PATH=/usr/sbin:/usr/bin:/sbin:/bin

mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/mnt"
mkdir "$root/mnt/crdserver"
cp "$sources"/*.go "$root/mnt/crdserver/"
: > "$root/mnt/header"

inside() {
    chroot "$root" env -i PATH="$PATH" HOME=/root LC_ALL=C GO111MODULE=off GOPATH=/usr/share/gocode \
        GOCACHE=/var/cache/go GOFLAGS=-buildvcs=false GOTELEMETRY=off GOTOOLCHAIN=local CGO_ENABLED=0 \
        sh -euc "$@"
}

# shellcheck disable=SC2016 # expanded inside
inside 'cd /usr/share/gocode/src && exec openapi-gen --output-dir /mnt/crdserver --output-pkg main \
    --output-file openapi.go --go-header-file /mnt/header --report-filename /dev/null "$@"' openapi-gen \
    k8s.io/api/core/v1 k8s.io/api/rbac/v1 k8s.io/api/authorization/v1 k8s.io/apimachinery/pkg/api/resource \
    k8s.io/apimachinery/pkg/util/intstr k8s.io/apimachinery/pkg/apis/meta/v1 k8s.io/apimachinery/pkg/runtime

# Libraries 0.N are of Kubernetes 1.N, which kubectl asks for and CEL rules of schemas depend on.
# shellcheck disable=SC2016 # expanded by dpkg-query
version=$(chroot "$root" dpkg-query -W -f '${Version}' golang-k8s-apiserver-dev | sed 's/[-+~].*//; s/^0\./1./')
minor=${version#*.}
name=k8s.io/component-base/version
# shellcheck disable=SC2016 # expanded inside
inside 'cd /mnt/crdserver && exec go build -trimpath -ldflags "$1" -o /mnt/out .' build \
    "-s -w -X $name.gitVersion=v$version -X $name.gitMajor=${version%%.*} -X $name.gitMinor=${minor%%.*}"

cp "$root/mnt/out" "$target/crdserver"
cp -L "$root/usr/bin/etcd" "$root/usr/bin/kubectl" "$target/"
