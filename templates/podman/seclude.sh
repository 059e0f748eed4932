# seclude.sh make|remove NAME: a network namespace with nothing but lo, by name. One that is whole stays as it is.
case $1 in
make)
    nsenter --net="/run/netns/$2" true 2>/dev/null || { ip netns del "$2" 2>/dev/null || rm -f "/run/netns/$2"; ip netns add "$2" || exit; }
    ip -n "$2" link set dev lo up
    ;;
remove)
    [ ! -e "/run/netns/$2" ] || ip netns del "$2" || rm -f "/run/netns/$2"
    ;;
esac
