# observe.sh NOTES [NAME]: libvirt's domains on this host, or one of them. Changes nothing.
# include virsh
notes=$1
section() { printf '\n@@ %s\n' "$*"; }
if ! command -v virsh >/dev/null; then
    section end
    exit 0
fi
# libvirt may be installed and not used: only where something of ours is, silence says nothing.
if [ -z "$(ls -A "$notes" 2>/dev/null)" ] && ! virsh version >/dev/null 2>&1; then
    section end
    exit 0
fi
answers
section version
virsh version
if [ $# -gt 1 ]; then
    ids=$(find_id "$2") || exit 3
else
    ids=$(virsh list --all --uuid) || exit 3
fi
for id in $ids; do
    # One that goes meanwhile is not there.
    xml=$(virsh dumpxml "$id" 2>/dev/null) || continue
    section "domain $id"
    printf '%s\n' "$xml"
    section "state $id"
    state "$id"
    section "stats $id"
    virsh dommemstat "$id" 2>/dev/null
    section "info $id"
    virsh dominfo "$id" 2>/dev/null
done
for file in "$notes"/*_aside; do
    [ -s "$file" ] || continue
    section "aside $(basename "$file")"
    cat "$file"
done
section end
