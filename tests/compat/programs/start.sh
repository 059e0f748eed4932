#!/bin/sh
# start.sh PROGRAM: write the configuration of a real server and become it.
set -eu
case $1 in
nginx)
    yes 'All work and no play makes a dull file.' | head -c 50331648 > /srv/big
    cat > /tmp/nginx.conf <<'C'
daemon off;
worker_processes 2;
events {}
http {
  access_log off;
  keepalive_requests 1000000;
  keepalive_timeout 600s;
  send_timeout 600s;
  server {
    listen 80;
    root /srv;
    location /status { stub_status; }
  }
}
C
    exec nginx -c /tmp/nginx.conf
    ;;
php | php-defaults)
    mkdir -p /run/php
    cat > /tmp/fpm.conf <<'C'
[global]
error_log = /dev/stderr
daemonize = yes
[www]
user = www-data
group = www-data
listen = /run/php/compat.sock
listen.mode = 0666
pm = static
pm.max_children = 3
C
    cat > /tmp/nginx.conf <<'C'
daemon off;
worker_processes 1;
events {}
http {
  access_log off;
  keepalive_requests 1000000;
  keepalive_timeout 600s;
  server {
    listen 80;
    location / {
      include /etc/nginx/fastcgi_params;
      fastcgi_param SCRIPT_FILENAME /opt/compat/counter.php;
      fastcgi_pass unix:/run/php/compat.sock;
    }
  }
}
C
    # By default the code of all workers is in memory that they share, even with the JIT compiler off.
    [ "$1" = php ] && set -- -d opcache.jit_buffer_size=0 || set --
    php-fpm8.4 --fpm-config /tmp/fpm.conf "$@"
    exec nginx -c /tmp/nginx.conf
    ;;
apache)
    yes 'All work and no play makes a dull file.' | head -c 50331648 > /srv/big
    cat > /tmp/apache.conf <<'C'
ServerRoot /tmp
ServerName compat
PidFile /tmp/apache.pid
Listen 80
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule status_module /usr/lib/apache2/modules/mod_status.so
User www-data
Group www-data
StartServers 3
MaxKeepAliveRequests 0
KeepAliveTimeout 600
TimeOut 600
ExtendedStatus On
ErrorLog /dev/stderr
DocumentRoot /srv
<Location /server-status>
  SetHandler server-status
</Location>
C
    exec apache2 -f /tmp/apache.conf -D FOREGROUND
    ;;
haproxy)
    cat > /tmp/haproxy.cfg <<'C'
global
  stats socket /tmp/haproxy.sock
defaults
  mode tcp
  timeout connect 60s
  timeout client 1h
  timeout server 1h
listen front
  bind 0.0.0.0:9001
  server back 127.0.0.1:9000
C
    python3 /opt/compat/asyncio_server.py &
    exec haproxy -W -f /tmp/haproxy.cfg
    ;;
mosquitto)
    printf 'listener 1883 0.0.0.0\nallow_anonymous true\npersistence true\npersistence_location /data/\nmax_queued_messages 100000\n' \
        > /tmp/mosquitto.conf
    chmod 777 /data
    exec mosquitto -c /tmp/mosquitto.conf
    ;;
dnsmasq)
    exec dnsmasq --no-daemon --conf-file=/dev/null --no-resolv --no-hosts --user=root --address=/name.compat/192.0.2.7
    ;;
sshd)
    mkdir -p /run/sshd /root/.ssh
    printf '%s\n' "$AUTHORIZED_KEY" > /root/.ssh/authorized_keys
    chmod 700 /root /root/.ssh
    chmod 600 /root/.ssh/authorized_keys
    [ -e /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
    exec /usr/sbin/sshd -D -e -o UsePAM=no -o HostKey=/etc/ssh/ssh_host_ed25519_key
    ;;
gunicorn)
    exec gunicorn --chdir /opt/compat -w 3 -k gthread --threads 4 --keep-alive 600 -b 0.0.0.0:8000 wsgi:app
    ;;
postgres)
    bin=$(echo /usr/lib/postgresql/*/bin)
    "$bin/initdb" --no-sync --auth=trust --locale=C --encoding=UTF8 -D /var/lib/postgresql/compat > /dev/null
    echo 'host all all all trust' >> /var/lib/postgresql/compat/pg_hba.conf
    exec "$bin/postgres" -D /var/lib/postgresql/compat -h '*' -k /tmp
    ;;
mariadb | mariadb-defaults)
    # It reserves the addresses of the largest buffer pool it may ever have: by default 8 TiB.
    [ "$1" = mariadb ] && set -- --innodb-buffer-pool-size-max=64M || set --
    mkdir -p /run/mysqld
    mariadb-install-db --no-defaults --user=root --datadir=/data --skip-test-db > /dev/null
    mkdir -p /data/test
    exec mariadbd --no-defaults --user=root --datadir=/data --skip-grant-tables --skip-name-resolve --bind-address=0.0.0.0 \
        --socket=/run/mysqld/s --innodb-buffer-pool-size=64M --default-time-zone=+00:00 "$@"
    ;;
pipeline)
    # Numbers flow through four programs and pipes; a named one in the middle.
    mkfifo /tmp/fifo
    { n=0; while :; do n=$((n + 1)); echo $n; sleep 0.01; done; } > /tmp/fifo &
    awk '{ print $1, $1 * $1; fflush() }' < /tmp/fifo |
        sed -u 's/ /:/' |
        while IFS=: read -r number square; do
            [ "$number" = "$((last + 1))" ] && [ "$square" = "$((number * number))" ] || echo "broken at $number after $last" >> /tmp/broken
            last=$number
            echo "$number" > /tmp/last
        done
    ;;
tmux)
    tmux -f /dev/null new-session -d -x 80 -y 24 'bash --norc'
    tmux send-keys 'n=0; while sleep 0.1; do echo count $((++n)) $$; done' Enter
    exec sleep 100000
    ;;
inotify)
    # inotify.sh's watched folder is the argument; every new file is told to a second process.
    inotifywait -q -m -e close_write --format %f "$2" | while read -r name; do echo "$name" >> /tmp/seen; done
    ;;
fuse)
    mkdir -p /tmp/a /tmp/b
    exec python3 /opt/compat/asyncio_server.py
    ;;
esac
