# fence.sh HOME: from here on no restore of this container lets its tasks run (restoring.sh), and its pod says nothing: the kernel
# would tell the source's clients that nobody is there.
# shellcheck disable=SC2034 # card.sh's
home=$1
[ -d "$home" ] || exit 0
: >"$home/fenced"
# include card
read -r pid net _ <"$home/pod" || exit 0
lower "$net"
