#!/bin/sh
# vm-guest.sh ROOT IMAGES TARGET SIZE: turn a root filesystem of rootfs.sh into one that boots in a virtual machine:
# TARGET/root.img, TARGET/initrd and TARGET/vmlinuz. To be run in a mount namespace of its own.
# Podman, its runtimes, CRIU, sshd and systemd stay as Debian ships them, but for what is said below.
set -eu
root=$1 images=$2 target=$3 size=$4 here=$(dirname "$0")
mount -t proc proc "$root/proc" # for systemctl

cat > "$root/etc/fstab" <<'E'
LABEL=lab / ext4 defaults 0 1
E
: > "$root/etc/machine-id" # comes with the kernel's command line, like the host's name
rm -f "$root/etc/hostname"
mkdir -p "$root/etc/lab" "$root/usr/lib/lab" "$root/root/.ssh"
chmod 700 "$root/root/.ssh"
install -m 755 "$here/vm-boot.sh" "$root/usr/lib/lab/boot.sh"
cp -a "$images/." "$root/usr/share/reconciler/images/"

# The same runtime on both kinds of lab; cgroups through systemd and logs in the journal, as on a server.
printf '[engine]\nruntime = "runc"\n' > "$root/etc/containers/containers.conf"

# rootfs.sh switched PAM off for hosts without systemd; here each login has its own session.
sed -i '/^UsePAM/d' "$root/etc/ssh/sshd_config.d/lab.conf"
mkdir -p "$root/etc/systemd/system/ssh.service.d"
cat > "$root/etc/systemd/system/ssh.service.d/lab.conf" <<'E'
[Unit]
After=lab-seed.service
Requires=lab-seed.service
StartLimitIntervalSec=0
[Service]
# A fault test that kills it must find it dead until it asks for a new one.
Restart=no
E

# A second server, for the lab itself: own port and card, and own names, so that killing `sshd` spares it.
for name in /usr/sbin/sshd /usr/lib/openssh/sshd-session /usr/lib/openssh/sshd-auth; do
    cp "$root$name" "$root/usr/lib/lab/lab-$(basename "$name")"
done
cat > "$root/etc/lab/sshd_config" <<'E'
Port 2222
ListenAddress 10.0.2.15
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile /root/.ssh/authorized_keys
SshdSessionPath /usr/lib/lab/lab-sshd-session
SshdAuthPath /usr/lib/lab/lab-sshd-auth
PidFile none
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
MaxStartups 100
MaxSessions 100
PerSourcePenalties no
SetEnv PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
E
cat > "$root/etc/systemd/system/lab-sshd.service" <<'E'
[Unit]
After=lab-seed.service
Requires=lab-seed.service
[Service]
ExecStart=/usr/lib/lab/lab-sshd -D -f /etc/lab/sshd_config
KillMode=process
OOMScoreAdjust=-1000
RuntimeDirectory=sshd
RuntimeDirectoryPreserve=yes
[Install]
WantedBy=multi-user.target
E

# Cards: `mgmt` leads to the machine that runs the lab, `e0` is the host's own.
printf '[Match]\nMACAddress=02:4c:00:00:00:00\n[Link]\nName=mgmt\n' > "$root/etc/systemd/network/10-mgmt.link"
printf '[Match]\nDriver=virtio_net\n[Link]\nName=e0\n' > "$root/etc/systemd/network/20-e0.link"
cat > "$root/etc/systemd/system/lab-seed.service" <<'E'
[Unit]
After=systemd-udevd.service
Before=network.target
[Service]
StandardError=journal+console
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh /usr/lib/lab/boot.sh seed
E
cat > "$root/etc/systemd/system/lab-ready.service" <<'E'
[Unit]
After=lab-seed.service ssh.service lab-sshd.service
Requires=lab-seed.service
[Service]
StandardError=journal+console
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh /usr/lib/lab/boot.sh ready
[Install]
WantedBy=multi-user.target
E
chroot "$root" systemctl --quiet enable lab-sshd.service lab-ready.service ssh.service

# What a host without a console, other disks or a way out has no use for costs seconds of boot time when emulated.
chroot "$root" systemctl --quiet mask modprobe@drm.service modprobe@efi_pstore.service systemd-binfmt.service \
    proc-sys-fs-binfmt_misc.automount dev-hugepages.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
    getty.target apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
    e2scrub_all.timer e2scrub_reap.service fstrim.timer systemd-networkd-wait-online.service man-db.timer
mkdir -p "$root/etc/systemd/system-generators"
for name in bless-boot cryptsetup debug fstab gpt-auto hibernate-resume import integritysetup rc-local ssh sysv \
    system-update tpm2 veritysetup; do
    ln -s /dev/null "$root/etc/systemd/system-generators/systemd-$name-generator"
done

# All it takes to mount an NVMe disk, whose driver is built into Debian's kernels. The kernel itself cannot do it: the
# two disks appear in any order. Only one of them holds a file system.
initrd=$root/tmp/initrd
mkdir -p "$initrd/bin" "$initrd/dev" "$initrd/root"
mknod "$initrd/dev/console" c 5 1
cp "$root/usr/bin/busybox" "$initrd/bin/busybox"
cat > "$initrd/init" <<'E'
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
tries=0
until /bin/busybox mount -t ext4 /dev/nvme0n1 /root 2>/dev/null ||
    /bin/busybox mount -t ext4 /dev/nvme0n2 /root 2>/dev/null; do
    tries=$((tries + 1))
    if [ "$tries" -gt 3000 ]; then echo "no disk after 60 s"; /bin/busybox poweroff -f; fi
    /bin/busybox sleep 0.02
done
/bin/busybox mount --move /dev /root/dev
exec /bin/busybox switch_root /root /sbin/init
E
chmod 755 "$initrd/init"
chroot "$root" sh -c 'cd /tmp/initrd && find . | cpio --quiet -o -H newc' > "$target/initrd"
rm -r "$initrd"
cp "$root"/boot/vmlinuz-* "$target/vmlinuz"

# Else the first boot rebuilds the linker's cache, the journal's catalogue and more.
touch "$root/etc/.updated" "$root/var/.updated"
umount "$root/proc"
mkfs.ext4 -q -F -E lazy_itable_init=0 -L lab -d "$root" "$target/root.img" "$size"
