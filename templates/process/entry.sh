# The entry by which a host starts the tree of HOME again when it boots: a unit where there is systemd, else a file of
# cron's. What it runs asks the guard, so that an entry of a tree that belongs elsewhere does nothing.
# shellcheck disable=SC2154  # home is who includes this one's
units=/etc/systemd/system cron=/etc/cron.d
keeper() { # systemd or cron, which start things at boot here; nothing where neither is
    if [ -d /run/systemd/system ]; then echo systemd && return; fi
    for one in cron crond; do
        at=$(command -v "$one") || continue
        case $(readlink -f "$at") in *busybox*) continue ;; esac # which reads no such files
        [ ! -d "$cron" ] || echo cron
        return
    done
}
unmade() { # files that were made to be mounted on, and are still nothing else
    while read -r made; do
        [ -s "$made" ] || rm -f -- "$made"
    done < "$home/made-to-mount-on"
}
entry() { # on|off
    name=${home##*/}
    case $name in *_*) return 0 ;; esac # set aside
    unit=$units/reconciler-$name.service wants=$units/multi-user.target.wants
    table=$cron/reconciler-$(echo "$name" | tr . _)
    command="/bin/sh $home/boot/boot $home"
    if [ "$1" = off ]; then
        [ -e "$unit" ] || [ -L "$wants/${unit##*/}" ] || [ -e "$table" ] || return 0
        rm -f "$wants/${unit##*/}" "$unit" "$table"
        for folder in "$wants" "$units" "$cron"; do [ ! -d "$folder" ] || sync "$folder"; done
        [ ! -d /run/systemd/system ] || systemctl daemon-reload || true
        return 0
    fi
    case $(keeper) in
    systemd)
        mkdir -p "$wants"
        cat > "$unit.new" <<END
[Unit]
Description=Reconciler: start $name again
RequiresMountsFor=$home
Wants=network-online.target
After=network-online.target
ConditionPathExists=$home/boot/boot

[Service]
Type=oneshot
RemainAfterExit=yes
TimeoutStartSec=infinity
ExecStart=$command

[Install]
WantedBy=multi-user.target
END
        chmod 644 "$unit.new"
        mv -f "$unit.new" "$unit"
        ln -sfn "$unit" "$wants/${unit##*/}"
        sync "$unit" "$units" "$wants"
        systemctl daemon-reload || true # a boot reads it anyway
        ;;
    cron)
        printf '# Reconciler: start %s again\n@reboot root [ ! -r %s/boot/boot ] || %s\n' "$name" "$home" "$command" > "$cron/.reconciler.new"
        chmod 644 "$cron/.reconciler.new"
        mv -f "$cron/.reconciler.new" "$table"
        sync "$table" "$cron"
        ;;
    *) echo 'this host has neither systemd nor cron, so nothing could start it at boot' >&2 && return 1 ;;
    esac
}
