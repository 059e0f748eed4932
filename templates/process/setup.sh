# setup.sh HOME INIT: the first process in new namespaces: mounts, then INIT with what it is told.
set -eu
home=$1 init=$2
tab=$(printf '\t')
setting() { sed -n "s/^$1$tab//p" "$home/settings"; } # KEY
mount --make-rprivate /
root=$(setting root)
[ "$root" != host ] || root=/
mount --bind "$root" "$home/root" # and nothing below it: what a host has mounted there is no part of the tree
cd "$home/root"
mount -t proc proc proc
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs run
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs tmp
mount -t tmpfs -o mode=755,nosuid tmpfs dev
for node in null zero full random urandom; do
    : > "dev/$node"
    mount --bind "/dev/$node" "dev/$node"
done
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr
mkdir dev/shm run/reconciler run/old
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs dev/shm
mount --bind "$home/own" run/reconciler
user=$(setting user)
owner=${user%%:*}
case $user in *:*) owns=${user#*:} ;; *) owns=$(id -g "$owner" 2>/dev/null) || owns=$owner ;; esac
setting mount | while IFS=$tab read -r kind source target how; do
    case $target in /run/* | /tmp/*) if [ -d "$source" ]; then mkdir -p ".$target"; else : > ".$target"; fi ;; esac
    [ -e ".$target" ] || { echo "there is no $target to mount on" >&2; exit 1; }
    if [ "$kind" = volume ] && [ -n "$user" ] && [ -z "$(ls -A "$source")" ]; then chown "$owner:$owns" "$source"; fi
    mount --bind "$source" ".$target"
    [ "$how" != ro ] || mount -o remount,bind,ro ".$target"
done
grep -sE "^[0-9a-f]{16}$tab/[A-Za-z0-9_.,=@~+/-]+\$" "$home/carried/list" | while IFS=$tab read -r name path; do
    [ -e ".$path" ] || { echo "there is no $path to mount on" >&2; exit 1; }
    mount --bind "$home/carried/$name" ".$path"
done
hostname "$(setting hostname)"
set -- "$(setting restart)" "$(setting output)" "$(setting workdir)" "$owner" "$owns" "$(setting groups)"
while read -r word; do
    word=$(echo "$word" | base64 -d; echo .)
    set -- "$@" "${word%.}"
done < "$home/argv"
unset PWD OLDPWD
while read -r word; do
    word=$(echo "$word" | base64 -d; echo .)
    word=${word%.}
    export "${word?}"
done < "$home/env"
pivot_root . run/old
cd /
umount -l run/old
rmdir run/old
exec /bin/sh -c "$init" init "$@"
