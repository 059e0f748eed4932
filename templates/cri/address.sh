# address.sh PID NOTE HOW IP IP6 MAC: give a pod's card addresses of its own. HOW: `up`, or `down`: it stays down until raised,
# by the routes in NOTE. PID: the pod's first process.
# shellcheck disable=SC2034 # card.sh's
pid=$1 how=$3
# include card
umask 077
mkdir -p "${2%/*}" && readdress "$2" "$4" "$5" "$6" || exit
[ "$how" = down ] || { raise "$2" && rm -f "$2"; }
