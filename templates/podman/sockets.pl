# sockets.pl NETWORK PID...: what sockets and event queues of these processes hold that a dump refuses or drops.
# Each descriptor is borrowed for an instant (pidfd_getfd), asked, and given back; nothing is changed.
# Run in the network namespace NETWORK, whose fresh sockets say what is the default there.
use strict; use warnings; no warnings 'portable';
use Socket;
my ($PIDFD_OPEN, $PIDFD_GETFD, $SIOCGSKNS, $FIONREAD) = (434, 438, 0x894C, 0x541B);
my ($IP, $SOCKET, $TCP, $UDP, $IP6) = (0, 1, 6, 17, 41);
my %SAVED = map { $_ => 1 } 1, 2, 10, 16, 17;                  # unix, inet, inet6, netlink, packet
my %FAMILIES = (15 => 'key', 29 => 'CAN', 30 => 'TIPC', 31 => 'Bluetooth', 38 => 'kernel crypto (AF_ALG)',
    40 => 'vsock', 41 => 'KCM', 43 => 'SMC', 44 => 'XDP');
my %PROTOCOLS = (132 => 'SCTP', 262 => 'MPTCP', 33 => 'DCCP', 256 => 'SMC');
# What CRIU 4.2 does not put back, seen by setting all and looking after a restore.
my @DROPPED = (
    ['IP_RECVERR', 'tu', $IP, 11], ['IP_MINTTL', 't', $IP, 21], ['IP_TRANSPARENT', 'tu', $IP, 19],
    ['IP_RECVTTL', 'u', $IP, 12], ['IP_RECVTOS', 'u', $IP, 13], ['IP_MTU_DISCOVER', 'u', $IP, 10],
    ['IP_MULTICAST_TTL', 'u', $IP, 33], ['IP_MULTICAST_LOOP', 'u', $IP, 34], ['IP_MULTICAST_ALL', 'u', $IP, 49],
    ['IP_RECVORIGDSTADDR', 'u', $IP, 20],
    ['SO_TIMESTAMP', 'tu', $SOCKET, 29], ['SO_TIMESTAMPNS', 'tu', $SOCKET, 35], ['SO_BUSY_POLL', 'tu', $SOCKET, 46],
    ['SO_RXQ_OVFL', 'u', $SOCKET, 40], ['SO_PEEK_OFF', 'u', $SOCKET, 42], ['SO_ZEROCOPY', 't', $SOCKET, 60], ['SO_LOCK_FILTER', 'tu', $SOCKET, 44],
    ['TCP_SYNCNT', 't', $TCP, 7], ['TCP_DEFER_ACCEPT', 'l', $TCP, 9], ['TCP_THIN_LINEAR_TIMEOUTS', 't', $TCP, 16],
    ['TCP_USER_TIMEOUT', 't', $TCP, 18], ['TCP_FASTOPEN', 'l', $TCP, 23], ['TCP_NOTSENT_LOWAT', 't', $TCP, 25],
    ['TCP_SAVE_SYN', 'l', $TCP, 27], ['TCP_INQ', 't', $TCP, 36], ['TCP_CONGESTION', 't', $TCP, 13],
    ['UDP_SEGMENT', 'u', $UDP, 103], ['UDP_GRO', 'u', $UDP, 104], ['UDP_NO_CHECK6_TX', 'u', $UDP, 101],
    ['IPV6_UNICAST_HOPS', '6', $IP6, 16], ['IPV6_MULTICAST_HOPS', '6', $IP6, 18], ['IPV6_MULTICAST_LOOP', '6', $IP6, 19],
    ['IPV6_RECVERR', '6', $IP6, 25], ['IPV6_TCLASS', '6', $IP6, 67], ['IPV6_RECVTCLASS', '6', $IP6, 66],
    ['IPV6_RECVHOPLIMIT', '6', $IP6, 51], ['IPV6_MTU_DISCOVER', '6', $IP6, 23], ['IPV6_DONTFRAG', '6', $IP6, 62],
);
my $MOST = 2000;    # sockets whose options are looked at: a server's connections are much alike
my ($network, @pids) = @ARGV;
my (%seen, %fresh, %said, @waits);

sub say_once { my $line = shift; print "$line\n" unless $said{$line}++ }
sub fresh { my $new; socket($new, $_[0], $_[1], 0) ? $new : 0 }
sub number { my ($from, $level, $name) = @_; my $got = getsockopt($from, $level, $name); defined $got && length $got >= 4 ? unpack('i', $got) : undef }

# What of a queue CRIU cannot save: messages of the kernel's, and those that say who sent them (SO_PASSCRED).
sub waits {
    my ($there, $kind) = @_;
    my ($left, $byte) = (pack('i', 0), '');
    return defined recv($there, $byte, 1, MSG_PEEK | MSG_DONTWAIT) if $kind eq 'netlink';
    return ioctl($there, $FIONREAD, $left) && unpack('i', $left);
}
sub unread { my ($there, $kind) = @_; push @waits, [$kind, $there] if @waits < 99 && waits($there, $kind) }

sub socket_is {
    my ($there) = @_;
    my ($domain, $type, $protocol) = (number($there, $SOCKET, 39), number($there, $SOCKET, 3), number($there, $SOCKET, 38));
    return unless defined $domain && defined $type && defined $protocol;
    return say_once('family ' . ($FAMILIES{$domain} // "family $domain")) unless $SAVED{$domain};
    return unread($there, 'netlink') if $domain == 16;
    return unread($there, 'credentials') if $domain == 1 && (number($there, $SOCKET, 16) || number($there, $SOCKET, 76));
    return unless $domain == 2 || $domain == 10;
    return if $type == 3;
    return say_once("family $PROTOCOLS{$protocol}") if $PROTOCOLS{$protocol};
    my $space = ioctl($there, $SIOCGSKNS, 0);
    if (defined $space && open my $open, '<&=', int $space) {
        say_once('nested net') if (readlink("/proc/self/fd/" . fileno $open) // $network) ne $network;
    }
    say_once('corked UDP') if $type == 2 && $protocol == $UDP && number($there, $UDP, 1);
    return if $MOST-- <= 0 || ($protocol != $TCP && $protocol != $UDP);
    my $kinds = ($protocol == $TCP ? number($there, $SOCKET, 30) ? 'tl' : 't' : 'u') . ($domain == 10 ? '6' : '');
    my $default = ($fresh{"$domain $type"} //= fresh($domain, $type)) or return;
    for my $option (@DROPPED) {
        my ($name, $of, $level, $code) = @$option;
        next unless grep { index($kinds, $_) >= 0 } split //, $of;
        next if $level == $IP && $domain == 10;
        my ($is, $was) = (getsockopt($there, $level, $code), getsockopt($default, $level, $code));
        say_once("option $name") if defined $is && defined $was && $is ne $was;
    }
}

for my $pid (@pids) {
    my $of = syscall($PIDFD_OPEN, $pid + 0, 0);
    next if $of < 0;
    opendir(my $list, "/proc/$pid/fd") or next;
    for my $fd (grep { /^\d+$/ } readdir $list) {
        my $target = readlink "/proc/$pid/fd/$fd" // next;
        my $queue = $target =~ /(inotify|fanotify)/ ? $1 : '';
        next unless $queue || ($target =~ /^socket:/ && !$seen{$target}++);
        my $mine = syscall($PIDFD_GETFD, $of, $fd + 0, 0);
        next if $mine < 0;
        open(my $there, '<&=', $mine) or next;
        if ($queue) {
            my $left = pack 'i', 0;
            say_once("unread $queue") if ioctl($there, $FIONREAD, $left) && unpack('i', $left);
        } else { socket_is($there) }
    }
    require POSIX;
    POSIX::close($of);
}
# Most programs read at once: only what still waits after a second is said.
for (1 .. 4) { last unless @waits; select(undef, undef, undef, 0.25); @waits = grep { waits($_->[1], $_->[0]) } @waits }
say_once("waits $_->[0]") for @waits;
