# replace.sh FROM TO: what a container has changed of its root file system is another one's.
rm -rf "$2" && mkdir "$2" && cp -a "$1/." "$2/"
