# What CRIU drops of sockets: options, and memberships in multicast groups, which the kernel tells only who asks for each by
# its name; a part of kept.pl.
# `note`, in the tasks' network namespace, whose new sockets say what is the default: prints what differs from that, of the
# sockets of these processes. `apply` reads FILE, which comes from another host, and puts it back before the tasks run; it
# prints what it could not. Each descriptor is borrowed for an instant (pidfd_getfd) and given back. Without modules: clients
# wait for them.
package Sockets;
# include options.pl
my ($INET, $INET6, $STREAM) = (2, 10, 1);
my ($PIDFD_OPEN, $PIDFD_GETFD, $SIOCGIFADDR, $SIOCGIFINDEX, $SIOCGIFNAME) = (434, 438, 0x8915, 0x8933, 0x8910);
my ($ADD_MEMBERSHIP, $JOIN_GROUP, $BLOCK_SOURCE, $JOIN_SOURCE_GROUP, $MSFILTER, $INCLUDE) = (35, 42, 43, 46, 48, 1);
my $GETSOCKOPT;
sub known { $GETSOCKOPT = {x86_64 => 55, aarch64 => 209, riscv64 => 209, ppc64le => 340, s390x => 365}->{$_[0]} }    # MACHINE
my %WHERE_NEEDED = (TCP_CONGESTION => 1);    # a host may lack it, and plans say so
my %asked;

sub lines { open my $file, '<', $_[0] or return; return <$file> }
sub shown { my ($bytes) = @_; require Socket; Socket::inet_ntop(length $bytes == 4 ? $INET : $INET6, $bytes) }
sub address { my ($bytes) = @_; length $bytes == 4 ? pack('S x2 a4 x8', $INET, $bytes) : pack('S x6 a16 x4', $INET6, $bytes) }
sub storage { pack 'a128', address($_[0]) }
sub bytes_of { my ($storage) = @_; unpack('S', $storage) == $INET ? substr($storage, 4, 4) : substr($storage, 8, 16) }
sub card_named { my $asked = pack 'Z16 x24', $_[1]; ioctl($_[0], $SIOCGIFINDEX, $asked) ? unpack 'x16 i', $asked : 0 }
sub card_numbered { my $asked = pack 'x16 i x20', $_[1]; ioctl($_[0], $SIOCGIFNAME, $asked) ? unpack 'Z16', $asked : '' }

# Groups that anybody is in here: [level, card's number, address]. The kernel is in some by itself.
sub groups {
    my ($pid) = @_;
    my (@found, $card);
    for (lines("/proc/$pid/net/igmp")) {
        if (/^(\d+)\s/) { $card = $1 }
        elsif (/^\s+([0-9A-F]{8})\s/) { push @found, [$IP, $card, pack 'L', hex $1] }
    }
    for (lines("/proc/$pid/net/igmp6")) { push @found, [$IP6, $1, pack 'H*', $2] if /^(\d+)\s+\S+\s+([0-9a-f]{32})\s/ }
    return @found;
}

# How a socket is in a group: whether it hears only some sources or all but some, and which. Nothing where it is not in it.
sub membership {
    my ($there, $level, $card, $group) = @_;
    return unless defined $GETSOCKOPT;
    my $room = 0;
    while (1) {
        my $asked = ($asked{"$card $group $room"} //= pack('L x4 a128 L L', $card, storage($group), 0, $room) . "\0" x (128 * $room));
        my $size = pack 'L', length $asked;
        return if syscall($GETSOCKOPT, fileno $there, $level + 0, $MSFILTER, $asked, $size) != 0;
        my ($mode, $count) = unpack 'x136 L L', $asked;
        if ($count > $room) { $room = $count; next }
        return ($mode, map { bytes_of(substr $asked, 144 + 128 * $_, 128) } 0 .. $count - 1);
    }
}

sub opened { my ($fd, $file) = @_; $fd >= 0 && open($file, '+<&=', $fd) ? $file : undef }
sub process { opened(syscall($PIDFD_OPEN, $_[0] + 0, 0)) }
sub borrow { my ($task, $fd) = @_; opened(syscall($PIDFD_GETFD, fileno $task, $fd + 0, 0)) }

sub note {
    my (@pids) = @_;
    my (%seen, @groups);
    @groups = groups($pids[0]) if @pids;
    for my $pid (@pids) {
        my ($inside) = join('', lines("/proc/$pid/status")) =~ /^NSpid:.*?(\d+)$/m or next;
        my $task = process($pid) or next;
        opendir(my $list, "/proc/$pid/fd") or next;
        for my $fd (sort { $a <=> $b } grep { /^\d+$/ } readdir $list) {
            my $target = readlink "/proc/$pid/fd/$fd" // next;
            next unless $target =~ /^socket:/ && !$seen{$target}++;
            my $there = borrow($task, $fd) or next;
            my ($domain, $type, $protocol) = map { number($there, $SOCKET, $_) } 39, 3, 38;
            next unless defined $protocol && ($domain == $INET || $domain == $INET6);
            for (differing($there, $domain, $type, $protocol)) {
                my ($name, undef, undef, $value) = @$_;
                $value = card_numbered($there, unpack 'i', $value) if $name eq 'IPV6_MULTICAST_IF';
                print "option $inside $fd $name ", unpack('H*', $value), "\n";
            }
            next if $type == $STREAM;
            for (@groups) {
                my ($level, $card, $group) = @$_;
                my ($mode, @sources) = membership($there, $level, $card, $group) or next;
                print join(' ', 'group', $inside, $fd, $level, card_numbered($there, $card), unpack('H*', $group), $mode,
                    map { unpack 'H*', $_ } @sources), "\n";
            }
        }
    }
}

# With the card's address and number, so that the program can leave it by either.
sub join_group {
    my ($there, $level, $card, $group, $only) = @_;
    return 1 if $only;    # is in it by its first source
    my $index = card_named($there, $card) or return 0;
    my $asked = pack 'Z16 x24', $card;
    return setsockopt($there, $IP, $ADD_MEMBERSHIP, pack 'a4 a4 i', $group, substr($asked, 20, 4), $index)
        if $level == $IP && ioctl($there, $SIOCGIFADDR, $asked);
    return setsockopt($there, $level, $JOIN_GROUP, pack 'L x4 a128', $index, storage($group));
}

sub put_group {
    my ($there, $level, $card, $group, $mode, @sources) = @_;
    my $only = $mode == $INCLUDE;
    join_group($there, $level, $card, $group, $only) || $!{EADDRINUSE} || return 0;
    my $index = card_named($there, $card) or return 0;
    for (@sources) {
        my $asked = pack('L x4 a128 a128', $index, storage($group), storage($_));
        setsockopt($there, $level, $only ? $JOIN_SOURCE_GROUP : $BLOCK_SOURCE, $asked) || $!{EADDRNOTAVAIL} || return 0;
    }
    return 1;
}

sub put_option {
    my ($there, $name, $value) = @_;
    my ($option) = grep { $_->[0] eq $name } @DROPPED or return 1;
    my (undef, undef, $level, $code) = @$option;
    $value = pack 'i', card_named($there, $value) if $name eq 'IPV6_MULTICAST_IF';
    my $is = getsockopt($there, $level, $code);
    return defined $is && $is eq $value || setsockopt($there, $level, $code, $value) || $WHERE_NEEDED{$name};
}

sub apply {
    my ($file, @pids) = @_;
    my (%tasks, %sockets);
    for my $pid (@pids) { $tasks{$1} = $pid if join('', lines("/proc/$pid/status")) =~ /^NSpid:.*?(\d+)$/m }
    for (lines($file)) {
        my ($inside, $fd, $put, $what) = (0, 0);
        if (/^option (\d{1,10}) (\d{1,10}) (\w{1,40}) ((?:[0-9a-f]{2}){1,16})$/) {
            my ($name, $value) = ($3, pack 'H*', $4);
            ($inside, $fd, $what, $put) = ($1, $2, "the option $name", sub { put_option($_[0], $name, $value) });
        } elsif (/^group (\d{1,10}) (\d{1,10}) (0|41) ([A-Za-z0-9._-]{1,15}) ([0-9a-f]{8}|[0-9a-f]{32}) (\d)((?: (?:[0-9a-f]{8}|[0-9a-f]{32}))*)$/) {
            my ($level, $card, $group, $mode, @sources) = ($3, $4, pack('H*', $5), $6, map { pack 'H*', $_ } split ' ', $7);
            ($inside, $fd, $what) = ($1, $2, 'the multicast group ' . shown($group) . " on $card");
            $put = sub { put_group($_[0], $level, $card, $group, $mode, @sources) };
        } else { next }
        my $pid = $tasks{$inside};
        $sockets{"$inside $fd"} //= do {
            my $task = defined $pid ? process($pid) : undef;
            [$task ? borrow($task, $fd) : undef];
        };
        my $there = $sockets{"$inside $fd"}[0];
        print "process $inside lacks $what on its socket $fd", defined $there ? ": $!" : '', "\n" unless defined $there && $put->($there);
    }
}
