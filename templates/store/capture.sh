# capture.sh FOLDER NAME EPOCH RUN GUARD COMMAND...: hold a workload by this command of the guard's, archive what of its
# folders changed since shadow.sh, and let it run on. All in one go on its host: nobody else has a say in how long the
# freeze is. FOLDER/1.delta.tar is what changed, FOLDER/1.names what there is. Exit 4: it is no copy of one instant.
umask 077
# include listing
folder=$1 name=$2 epoch=$3 run=$4 guard=$5
shift 5
said=$("$@") || { status=$?; printf '%s\n' "$said"; exit "$status"; }
printf '%s\n' "$said"
case $said in *'"outcome":"held"'*) ;; *) exit 0 ;; esac
catch_up() { # NUMBER PATH
    records "$2" >"$1.now"
    [ -s "$1.now" ] || return 1
    kinds <"$1.now" | sort -z >"$1.names"
    none_too_long "$2" <"$1.names" || return 1
    {
        comm -z -13 "$1.was" "$1.now" | names
        (cd "$2" && find . -cnewer "$folder/since" -print0)
    } | sort -zu >"$1.changed"
    archive "$2" --no-recursion --null --files-from="$folder/$1.changed" >"$1.delta.tar"
}
bad=
cd "$folder" || bad="$folder is gone"
number=0
while [ -z "$bad" ] && IFS= read -r path; do
    number=$((number + 1))
    catch_up "$number" "$path" || bad="$path could not be copied"
done <"${folder}/trees"
case $(/bin/sh "$guard" beat "$name") in
*'"hook":"held","verdict":""'*) ;;
*) bad=${bad:-it ran on before all of it was copied} ;;
esac
case $(/bin/sh "$guard" resume "$name" "$epoch" "$run") in
*'"outcome":"resumed"'*) ;;
*) bad=${bad:-it does not simply run on} ;;
esac
[ -z "$bad" ] || { echo "$bad" >&2; exit 4; }
