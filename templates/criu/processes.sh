# processes.sh CGROUP MONITOR: the tasks in these cgroups that live.
# include living
living "$1" "$2"
exit 0
