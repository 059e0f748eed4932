# at-once.sh ID: wait a moment, shorter where the container ends.
timeout 0.5 docker wait "$1" >/dev/null 2>&1
exit 0
