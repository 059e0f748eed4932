# look.sh [NAME KIND WHERE]...: what there is of programs that specs want to attach to. Changes nothing.
# shellcheck disable=SC2154 # what attached.sh gives
# include attached
while [ $# -gt 2 ]; do
    printf '\n@@ found %s\n' "$1"
    find_first "$2" "$3"
    [ -z "$unit" ] || printf 'unit %s\nenabled %s\n' "$unit" "$(of_unit UnitFileState "$unit")"
    if [ -n "$problem" ]; then printf 'problem %s\n' "$problem"; else
        at=$pid
        describe "$at"
        printf '\n@@ tcp %s\n' "$1"
        # shellcheck disable=SC2046
        connections $(below "$at" | cut -d ' ' -f 1)
    fi
    shift 3
done
printf '\n@@ end\n'
