# lay-out.sh USERDATA < LINES: the folder `lazy`, from which pages of round 1 are served: the dump's images, the pages of
# round 1, and the maps given as lines of path and base64. Maps of the dump are replaced. May be repeated.
umask 077
cd "$1" && rm -rf lazy && mkdir lazy || exit 1
for image in checkpoint/*.img; do
    case $image in */pagemap-[0-9]* | */pages-*) ;; *) ln -s "../$image" lazy/ || exit 1 ;; esac
done
for pages in precopy/1/pages-*.img; do ln -s "../$pages" lazy/ || exit 1; done
while read -r path map; do
    case $path in *..* | */*/*) exit 1 ;; checkpoint/pagemap-*.img | lazy/pagemap-*.img) ;; *) exit 1 ;; esac
    echo "$map" | base64 -d >lazy/new && mv lazy/new "$path" || exit 1
done
