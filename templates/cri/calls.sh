# calls.sh LIMIT [on] < LINES: calls of CRI, one after the other, of at most LIMIT seconds each. A line: METHOD REQUEST. Ends at
# the first that fails, unless told to go `on`.
# shellcheck disable=SC2034 # call.sh's
limit=$1 on=${2-}
# include call
number=0
while read -r method request; do
    call "$number" "$method" "$request" || [ -n "$on" ] || break
    number=$((number + 1))
done
printf '\n@@ end\n'
