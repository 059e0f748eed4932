# spoke.sh HOME NOTE: may a copy that was restored here have run? Exit 1: surely not. NOTE: a file as old as the stage.
if [ -s "$1/restore.log" ]; then
    ! grep -q 'Restoring FAILED' "$1/restore.log"
else # none was begun; or the host has been without power since, and what was written last is lost
    [ "$(sed -n 's/^btime //p' /proc/stat)" -gt "$(stat -c %Y "$2")" ]
fi
