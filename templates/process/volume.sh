# volume.sh NAME < LABELS: make an empty volume with these labels.
set -eu
umask 077
folder=/var/lib/reconciler/volumes/$1
new=/var/lib/reconciler/volumes/.new-$1
rm -rf "$new"
mkdir -p "$new/data"
chmod 755 "$new" "$new/data"
cat > "$new/labels.json"
sync -f "$new"
mv -T "$new" "$folder"
sync -f "$folder"
