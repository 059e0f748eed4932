# remove.sh ID NOTE: take out the definition of one that does not run, and the note of it. Disks stay.
# include virsh
answers
if runs "$1"; then
    echo "it runs" >&2
    exit 4
fi
# What a move has left standing goes with its power.
off "$1" || virsh destroy "$1" || exit 1
if virsh dominfo "$1" >/dev/null 2>&1; then
    virsh undefine "$1" --managed-save --snapshots-metadata --checkpoints-metadata --nvram || exit 1
fi
rm -f -- "$2"
