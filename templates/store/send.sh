# send.sh OUT: the archive that lay.sh has made ready, to standard output.
cd "$1/tar" || exit 1
squeeze='gzip -1'
! command -v zstd >/dev/null || squeeze='zstd -q -1'
exec tar --create --file=- --numeric-owner --use-compress-program="$squeeze" -- *
