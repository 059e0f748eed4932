# sockets.pl NETWORK PID...: what sockets and event queues of these processes hold that a dump refuses or drops.
# Each descriptor is borrowed for an instant (pidfd_getfd), asked, and given back; nothing is changed.
# Run in the network namespace NETWORK, whose fresh sockets say what is the default there.
use strict; use warnings; no warnings 'portable';
use Socket;
my ($PIDFD_OPEN, $PIDFD_GETFD, $SIOCGSKNS, $FIONREAD) = (434, 438, 0x894C, 0x541B);
my %SAVED = map { $_ => 1 } 1, 2, 10, 16, 17;                  # unix, inet, inet6, netlink, packet
my %FAMILIES = (15 => 'key', 29 => 'CAN', 30 => 'TIPC', 31 => 'Bluetooth', 38 => 'kernel crypto (AF_ALG)',
    40 => 'vsock', 41 => 'KCM', 43 => 'SMC', 44 => 'XDP');
my %PROTOCOLS = (132 => 'SCTP', 262 => 'MPTCP', 33 => 'DCCP', 256 => 'SMC');
# include criu/options.pl
my ($network, @pids) = @ARGV;
my (%seen, %said, @waits);

sub say_once { my $line = shift; print "$line\n" unless $said{$line}++ }

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
    return say_once("family $PROTOCOLS{$protocol}") if $type != 3 && $PROTOCOLS{$protocol};
    my $space = ioctl($there, $SIOCGSKNS, 0);
    if (defined $space && open my $open, '<&=', int $space) {
        say_once('nested net') if (readlink("/proc/self/fd/" . fileno $open) // $network) ne $network;
    }
    say_once('corked UDP') if $type == 2 && $protocol == $UDP && number($there, $UDP, 1);
    say_once("option $_->[0]") for differing($there, $domain, $type, $protocol);
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
