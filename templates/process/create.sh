# create.sh HOME < LINES: make what a tree is started from: lines of a file's name and its content in base64. An older one
# of this name that does not run goes.
set -eu
umask 077
home=$1
# include entry
case $home in /var/lib/reconciler/processes/[a-z0-9]*) ;; *) exit 1 ;; esac
new=${home%/*}/.new-${home##*/}
rm -rf "$new"
mkdir -p "$new/own" "$new/root" "$new/boot"
chmod 755 "$new" "$new/own" "$new/root"
while read -r name content; do
    case $name in made.json | settings | argv | env) ;; boot/boot | boot/again | boot/start | boot/setup | boot/init | boot/guard) ;; *) exit 1 ;; esac
    echo "$content" | base64 -d > "$new/$name"
done
rmdir "$new/boot" 2>/dev/null || true # nothing is started at boot
{ cat /proc/sys/kernel/random/uuid /proc/sys/kernel/random/uuid | tr -d '\n-'; echo; } > "$new/id"
sync -f "$new"
[ ! -e "$home" ] || [ -s "$home/made.json" ] || exit 3
# Before the tree: one without its entry would never be given it.
if [ -d "$new/boot" ]; then entry on; else entry off; fi
[ ! -s "$home/made-to-mount-on" ] || unmade
rm -rf "$home"
mv "$new" "$home"
sync -f "$home"
cat "$home/id"
