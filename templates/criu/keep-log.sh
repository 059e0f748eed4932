# keep-log.sh LOG KEPT: show the end of a runtime's log, and keep all of it where no clean-up removes it.
umask 077
[ -e "$1" ] || exit 1
cp -- "$1" "$2.new" && chmod 600 "$2.new" && mv -f -- "$2.new" "$2"
tail -n 400 -- "$1"
