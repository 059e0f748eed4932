# round.sh FOLDER: an empty folder for a round of a pre-copy.
umask 077
case $1 in /*/*/precopy/[1-9]*) ;; *) exit 1 ;; esac
rm -rf "$1" && mkdir "$1"
