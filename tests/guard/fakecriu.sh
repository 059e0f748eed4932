#!/bin/sh
# fakecriu.sh WORKLOAD_DIR PID [DUMP_SECONDS]: what a runtime and CRIU do around the action script, on a plain process.
# It freezes PID, calls the script as CRIU does (no arguments, three variables), then kills or resumes PID.
CRTOOLS_IMAGE_DIR=$1 CRTOOLS_INIT_PID=$2
export CRTOOLS_IMAGE_DIR CRTOOLS_INIT_PID CRTOOLS_SCRIPT_ACTION
act() {
	CRTOOLS_SCRIPT_ACTION=$1
	"$W/hook.sh" </dev/null
}
W=$1
act pre-dump || exit 125
act network-lock || exit 125
kill -STOP "$2"
sleep "${3:-0.05}"
if act post-dump; then
	kill -9 "$2"
	echo dumped
	exit 0
fi
act network-unlock
act pre-resume
kill -CONT "$2"
echo 'container still running'
exit 125
