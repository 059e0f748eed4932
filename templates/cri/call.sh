# call NUMBER METHOD REQUEST: one call of CRI. REQUEST: framed as gRPC does, in base64. Prints a section `call NUMBER`: a line
# `grpc STATUS MESSAGE`, or `curl STATUS MESSAGE` where nobody answered, then the answer in base64. Fails where the call does.
socket=/run/containerd/containerd.sock
umask 077
tmp=$(mktemp -d "${TMPDIR:-/run}/reconciler-cri.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 143' HUP INT TERM
# shellcheck disable=SC2154 # limit: of one call, in seconds, is who includes this to say
call() {
    printf '\n@@ call %s\n' "$1"
    printf %s "$3" | base64 -d >"$tmp/request"
    : >"$tmp/heads" && : >"$tmp/answer"
    curl --silent --show-error --max-time "$limit" --http2-prior-knowledge --unix-socket "$socket" --noproxy '*' \
        --header 'content-type: application/grpc' --header 'te: trailers' --data-binary "@$tmp/request" \
        --dump-header "$tmp/heads" --output "$tmp/answer" "http://localhost/$2" 2>"$tmp/said" </dev/null
    ended=$?
    tr -d '\r' <"$tmp/heads" | awk -F ': *' -v curl="$ended" -v said="$(head -n 1 "$tmp/said")" '
        tolower($1) == "grpc-status" {status = $2}
        tolower($1) == "grpc-message" {message = substr($0, index($0, ":") + 1)}
        END {if (curl != 0 || status == "") print "curl", curl, said; else print "grpc", status, message; exit curl != 0 || status != "0"}'
    failed=$?
    base64 -w 0 "$tmp/answer"
    echo
    return $failed
}
