# keep.sh ID NOTE AUTOSTART: it is this host's. What a move has left standing runs on.
# include virsh
answers
umask 077
virsh dominfo "$1" >/dev/null || exit 1
mkdir -p "$(dirname "$2")" && : >>"$2" || exit 1
if [ "$3" = yes ]; then virsh autostart "$1"; else virsh autostart --disable "$1"; fi || exit 1
case $(state "$1") in
"paused (migrating)" | "paused (starting up)") virsh resume "$1" ;;
esac
