# pidfile.sh HOME PATH [gone]: where others look for its first process; `gone`: it is no more here.
home=$1 path=$2
read -r pid 2>/dev/null < "$home/own/attached" || exit 0
case ${3-} in
gone) [ "$(head -c 20 -- "$path" 2>/dev/null | head -n 1)" != "$pid" ] || rm -f -- "$path" ;;
*)
    [ "$(head -c 20 -- "$path" 2>/dev/null | head -n 1)" != "$pid" ] || exit 0
    mkdir -p -- "${path%/*}" && echo "$pid" > "$path.new-$$" && chmod 644 "$path.new-$$" && mv -f -- "$path.new-$$" "$path"
    ;;
esac
