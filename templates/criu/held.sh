# held.sh HOME FOLDER CGROUP MONITOR COMMAND...: hold a source by this command of the guard's; when that is done, say how
# large its images are and how long the freeze took. FOLDER: the workload's, with its hook. CGROUP, MONITOR: the tasks
# (living.sh); what each of them may do is noted among the images. Exit 3: what was dumped cannot be used.
home=$1 folder=$2 cgroup=$3 monitor=$4
shift 4
# include living
# include rights
# shellcheck disable=SC2046 # PIDs are words
noted=$(rights $(living "$cgroup" "$monitor" | cut -d ' ' -f 1))
said=$("$@") || { status=$?; printf '%s\n' "$said"; exit "$status"; }
printf '%s\n' "$said"
case $said in *'"outcome":"held"'* | *'"outcome":"exited","status":0,'*) ;; *) exit 0 ;; esac
[ -s "$home/checkpoint/inventory.img" ] || { echo "no complete dump in $home/checkpoint" >&2; exit 3; }
# Until they were frozen they may have changed. Where nothing is held there is nobody left to look at.
# shellcheck disable=SC2046
frozen=$(rights $(cat "$(cat "$folder/hook/cgroup")/cgroup.procs")) 2>/dev/null
(umask 077 && mkdir -p "$home/checkpoint/state" && printf '%s\n' "${frozen:-$noted}" >"$home/checkpoint/state/rights") || exit 3
set -- "$home"/checkpoint/*
# CRIU saves a periodic timerfd that has expired and was not read yet as one that never expires (its issue 3162).
awk -F'[()]' '
    /[Ss]eized|freezing|frozen/ {if (!first) first = $2; last = $2}
    /Dumping id .* it_value\(0, 0\) it_interval\(/ && !/it_interval\(0, 0\)/ {lost = 1}
    END {printf "freeze_us %d\n", (last - first) * 1000000; exit lost}' "$home/dump.log" 2>/dev/null
if [ $? = 1 ]; then
    echo 'a periodic timer (timerfd) expired while it was frozen, and CRIU would not start it again' >&2
    exit 3
fi
echo "bytes $(stat -c %s -- "$@" | { sum=0; while read -r size; do sum=$((sum + size)); done; echo "$sum"; })"
