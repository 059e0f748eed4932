# lay-out.sh HOME FOLDER < LINES: replace maps of the dump by those given as lines of path and base64. FOLDER is
# `lazy` after a pre-copy: pages of round 1 are served from it, so it gets the dump's images, the pages of round 1, and
# the maps given for it. May be repeated.
umask 077
cd "$1" 2>/dev/null || { echo "there is no folder $1: was it removed?" >&2; exit 1; }
if [ "$2" = lazy ]; then
    rm -rf lazy && mkdir lazy || exit 1
    for image in checkpoint/*.img; do
        case $image in */pagemap-[0-9]* | */pages-*) ;; *) ln -s "../$image" lazy/ || exit 1 ;; esac
    done
    for pages in precopy/1/pages-*.img; do ln -s "../$pages" lazy/ || exit 1; done
fi
while read -r path map; do
    case $path in *..* | */*/*) exit 1 ;; checkpoint/pagemap-*.img | lazy/pagemap-*.img) ;; *) exit 1 ;; esac
    echo "$map" | base64 -d >"${path%/*}/new" && mv "${path%/*}/new" "$path" || exit 1
done
: >checkpoint/marked
