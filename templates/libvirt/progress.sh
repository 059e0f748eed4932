# progress.sh ID ROOM: how the migration of a domain stands that begin.sh began. Changes nothing.
# include virsh
id=$1 room=$2
section() { printf '\n@@ %s\n' "$*"; }
answers
section job
virsh domjobinfo "$id" 2>/dev/null
section command
# Looked at before what it has said: it may end in between.
if [ -e "$room/lock" ] && ! flock -n "$room/lock" true; then echo under way; fi
section status
cat "$room/status" 2>/dev/null
section said
tail -c 2000 "$room/said" 2>/dev/null
section end
