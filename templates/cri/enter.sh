# enter.sh WORKLOAD TTY USER COMMAND...: run a command beside a pod's container, in all its namespaces.
workload=$1 tty=$2 user=$3
shift 3
running=$(ctr -n k8s.io tasks ls | awk '$3 == "RUNNING" {print $1}') id=
for one in $(ctr -n k8s.io containers ls -q "labels.\"io.reconciler.workload\"==$workload,labels.\"io.cri-containerd.kind\"==container"); do
    case "$running" in *"$one"*) id=$one ;; esac
done
[ -n "$id" ] || { echo "$workload does not run here" >&2; exit 1; }
exec ctr -n k8s.io tasks exec ${tty:+--tty} ${user:+--user "$user"} --exec-id "reconciler-$$" "$id" "$@"
