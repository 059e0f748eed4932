# network.sh NAME CONF < JSON: remember a network of the host's that trees can join. CONF: its card, prefix and gateway.
set -eu
umask 077
folder=/var/lib/reconciler/networks
mkdir -p "$folder"
printf '%s\n' "$2" > "$folder/.$1.conf"
cat > "$folder/.$1.json"
mv -f "$folder/.$1.conf" "$folder/$1.conf"
sync "$folder/$1.conf" "$folder/.$1.json"
mv -f "$folder/.$1.json" "$folder/$1.json"
sync "$folder"
