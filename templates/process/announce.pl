# announce.pl [ADDRESS CARD]...: tell neighbours by ARP that these addresses are at these cards of this host.
use strict; use warnings; use Socket;
while (my ($address, $card) = splice @ARGV, 0, 2) {
    open my $file, "<", "/sys/class/net/$card/address" or next;
    my $mac = pack "H12", join "", split /:/, scalar <$file>;
    open $file, "<", "/sys/class/net/$card/ifindex" or next;
    my $index = <$file> + 0;
    my ($arp, $everyone) = (0x0806, "\xff" x 6);
    socket my $socket, 17, SOCK_RAW, unpack "S", pack "n", $arp or next;    # AF_PACKET
    for my $kind (1, 2) {    # asked for itself, and answered
        my $who = $mac . inet_aton($address);
        my $frame = $everyone . $mac . pack("n n n C C n", $arp, 1, 0x800, 6, 4, $kind) . $who . "\0" x 6 . inet_aton($address);
        send $socket, $frame, 0, pack "S n i S C C a8", 17, $arp, $index, 1, 0, 6, $everyone;
    }
}
