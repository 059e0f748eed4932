# A part of the other scripts: libvirt of this host, by its command line, in plain English and without colours.
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
virsh() { timeout 30 virsh -q -c qemu:///system "$@" </dev/null; }
# libvirtd may just be starting again: 10 s.
answers() {
    tries=0
    until said=$(virsh version 2>&1); do
        tries=$((tries + 1))
        [ "$tries" -lt 20 ] || { printf 'libvirt does not answer: %s\n' "$said" >&2; exit 3; }
        sleep 0.5
    done
}
# The UUID of the domain of that name; a name of digits is no number of a domain.
find_id() {
    listed=$(virsh list --all --uuid --name) || return 1
    printf '%s\n' "$listed" | awk -v name="$1" 'NF == 2 && $2 == name {print $1}'
}
# Whether libvirt says that nothing of it runs here, not even held.
off() { active=$(virsh list --uuid) && ! printf '%s\n' "$active" | grep -qFx "$1"; }
state() { virsh domstate "$1" --reason 2>/dev/null; } # empty where there is none
# A domain whose processes run here, or could go on. What only comes, or has gone, is `paused` for a reason of its own.
runs() {
    case $(state "$1") in
    running* | idle* | "in shutdown"* | pmsuspended*) return 0 ;;
    "paused (migrating)" | "paused (post-copy)" | "paused (post-copy failed)" | "paused (starting up)") return 1 ;;
    paused*) return 0 ;;
    esac
    return 1
}
