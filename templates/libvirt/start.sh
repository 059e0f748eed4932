# start.sh ID: it runs. One that a move has left standing runs on.
# include virsh
answers
case $(state "$1") in
running* | idle*) exit 0 ;;
paused*) virsh resume "$1" ;;
pmsuspended*) virsh dompmwakeup "$1" ;;
crashed*) virsh destroy "$1"; virsh start "$1" ;;
*) virsh start "$1" ;;
esac
