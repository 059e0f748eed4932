#!/bin/sh
# fakecriu.sh WORKLOAD_DIR PID [DUMP_SECONDS]: what a runtime and CRIU do around the action script, on a plain process.
# It freezes PID, calls the script as CRIU does (no arguments, three variables), then kills or resumes PID.
# FAKE_CGROUP: PID's; thawed once PID is stopped, and left as it was found. FAKE_FAILS: the dump does not succeed.
CRTOOLS_IMAGE_DIR=$1 CRTOOLS_INIT_PID=$2
export CRTOOLS_IMAGE_DIR CRTOOLS_INIT_PID CRTOOLS_SCRIPT_ACTION
act() {
	CRTOOLS_SCRIPT_ACTION=$1
	"$W/hook.sh" </dev/null
}
W=$1
act pre-dump || exit 125
[ -z "${FAKE_CGROUP-}" ] || read -r FOUND <"$FAKE_CGROUP/cgroup.freeze"
kill -STOP "$2"
[ -z "${FAKE_CGROUP-}" ] || echo 0 >"$FAKE_CGROUP/cgroup.freeze"
act network-lock || exit 125
sleep "${3:-0.05}"
if [ -z "${FAKE_FAILS-}" ] && act post-dump; then
	kill -9 "$2"
	echo dumped
	exit 0
fi
act network-unlock
act pre-resume
[ -z "${FAKE_CGROUP-}" ] || echo "$FOUND" >"$FAKE_CGROUP/cgroup.freeze"
kill -CONT "$2"
echo 'container still running'
exit 125
