# split.sh HOME PROGRAM COMMAND...: hold a source by this command, then set apart what a restore needs at once (split.py,
# which PROGRAM is). Exit 3: what was dumped cannot be used.
home=$1 program=$2
shift 2
said=$("$@")
status=$?
printf '%s\n' "$said"
[ "$status" = 0 ] || exit "$status"
case $said in *'"outcome":"held"'* | *'"outcome":"exited","status":0,'*) ;; *) exit 0 ;; esac
python3 -c "$program" "$home/checkpoint" || exit 3
