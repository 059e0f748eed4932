# ahead.sh CARD,... ADDRESS,... [ID]...: which of these IDs processes have here, and what there is of cards and addresses.
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
printf '@@ cards\n'
for card in $(echo "$1" | tr , ' '); do [ ! -e "/sys/class/net/$card" ] || echo "$card"; done
printf '\n@@ addresses\n'
for address in $(echo "$2" | tr , ' '); do ip -o -4 addr show | awk -v is="$address/" 'index($4, is) == 1 {print substr(is, 1, length(is) - 1); exit}'; done
shift 2
printf '\n@@ ids\n'
most=$(cat /proc/sys/kernel/pid_max)
for id; do
    if [ "$id" -ge "$most" ]; then echo "$id above"; elif [ -e "/proc/$id" ]; then
        echo "$id $(head -n 1 "/proc/$id/comm" | tr -d '\n' | tr -c 'A-Za-z0-9_.:@/+-' _)"
    fi
done
printf '\n@@ end\n'
