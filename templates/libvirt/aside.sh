# aside.sh ID NOTE: keep the definition of one that has been stopped, and take it out of libvirt. Its name and UUID are
# free then for its successor. What the firmware remembers stays.
# include virsh
umask 077
answers
if runs "$1"; then
    echo "it runs" >&2
    exit 4
fi
virsh dumpxml --inactive --security-info "$1" >"$2_aside.new" && sync "$2_aside.new" || exit 1
mv -f "$2_aside.new" "$2_aside"
virsh undefine "$1" --managed-save --snapshots-metadata --checkpoints-metadata --keep-nvram
