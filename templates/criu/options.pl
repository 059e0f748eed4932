# Options of sockets that CRIU 4.2 does not put back, seen by setting all and looking after a restore. `of`: letters of the
# kinds that have it: t TCP, l TCP that listens, u UDP, r raw, 6 of IPv6. A part of others, which say `use strict`.
my ($IP, $SOCKET, $TCP, $UDP, $IP6) = (0, 1, 6, 17, 41);
my @DROPPED = (    # [NAME, of, level, code]
    ['IP_RECVERR', 'tur', $IP, 11], ['IP_MINTTL', 't', $IP, 21], ['IP_TRANSPARENT', 'tu', $IP, 19],
    ['IP_RECVTTL', 'ur', $IP, 12], ['IP_RECVTOS', 'ur', $IP, 13], ['IP_MTU_DISCOVER', 'ur', $IP, 10],
    ['IP_MULTICAST_TTL', 'ur', $IP, 33], ['IP_MULTICAST_LOOP', 'ur', $IP, 34], ['IP_MULTICAST_ALL', 'ur', $IP, 49],
    ['IP_MULTICAST_IF', 'ur', $IP, 32], ['IP_RECVORIGDSTADDR', 'u', $IP, 20],
    ['SO_TIMESTAMP', 'tur', $SOCKET, 29], ['SO_TIMESTAMPNS', 'tur', $SOCKET, 35], ['SO_BUSY_POLL', 'tu', $SOCKET, 46],
    ['SO_RXQ_OVFL', 'ur', $SOCKET, 40], ['SO_PEEK_OFF', 'u', $SOCKET, 42], ['SO_ZEROCOPY', 't', $SOCKET, 60], ['SO_LOCK_FILTER', 'tur', $SOCKET, 44],
    ['TCP_SYNCNT', 't', $TCP, 7], ['TCP_DEFER_ACCEPT', 'l', $TCP, 9], ['TCP_THIN_LINEAR_TIMEOUTS', 't', $TCP, 16],
    ['TCP_USER_TIMEOUT', 't', $TCP, 18], ['TCP_FASTOPEN', 'l', $TCP, 23], ['TCP_NOTSENT_LOWAT', 't', $TCP, 25],
    ['TCP_SAVE_SYN', 'l', $TCP, 27], ['TCP_INQ', 't', $TCP, 36], ['TCP_CONGESTION', 't', $TCP, 13],
    ['UDP_SEGMENT', 'u', $UDP, 103], ['UDP_GRO', 'u', $UDP, 104], ['UDP_NO_CHECK6_TX', 'u', $UDP, 101],
    ['IPV6_UNICAST_HOPS', '6', $IP6, 16], ['IPV6_MULTICAST_HOPS', '6', $IP6, 18], ['IPV6_MULTICAST_LOOP', '6', $IP6, 19],
    ['IPV6_MULTICAST_IF', '6', $IP6, 17], ['IPV6_RECVERR', '6', $IP6, 25], ['IPV6_TCLASS', '6', $IP6, 67], ['IPV6_RECVTCLASS', '6', $IP6, 66],
    ['IPV6_RECVHOPLIMIT', '6', $IP6, 51], ['IPV6_MTU_DISCOVER', '6', $IP6, 23], ['IPV6_DONTFRAG', '6', $IP6, 62],
);
my $MOST = 2000;    # sockets whose options are looked at: a server's connections are much alike
my %usual;

sub number { my ($from, $level, $name) = @_; my $got = getsockopt($from, $level, $name); defined $got && length $got >= 4 ? unpack('i', $got) : undef }

# Of a socket of TCP, UDP or raw IP: those that are not as they are in a new one, as [NAME, level, code, bytes].
sub differing {
    my ($there, $domain, $type, $protocol) = @_;
    my $kind = $type == 3 ? 'r' : $protocol == $TCP ? number($there, $SOCKET, 30) ? 'tl' : 't' : $protocol == $UDP ? 'u' : '';
    return if !$kind || $MOST-- <= 0;
    my $usual = ($usual{"$domain $kind $protocol"} //= usual($domain, $type, $protocol, $kind));
    my @found;
    for (@$usual) {
        my ($name, $level, $code, $was) = @$_;
        my $is = getsockopt($there, $level, $code);
        push @found, [$name, $level, $code, $is] if defined $is && $is ne $was;
    }
    return @found;
}

# What a new socket of that kind has: [NAME, level, code, bytes].
sub usual {
    my ($domain, $type, $protocol, $kind) = @_;
    my ($letters, @has) = ($domain == 10 ? "[${kind}6]" : "[$kind]");
    socket(my $new, $domain, $type, $protocol) or return [];
    for (grep { $_->[1] =~ $letters && !($_->[2] == $IP && $domain == 10) } @DROPPED) {
        my ($name, undef, $level, $code) = @$_;
        my $is = getsockopt($new, $level, $code);
        push @has, [$name, $level, $code, $is] if defined $is;
    }
    return \@has;
}
