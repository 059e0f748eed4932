# ADDRESS:PORT DIGEST TYPE SIZE LIMIT: for so many seconds say, as a registry does, that the manifest of that digest is there. No
# more: who has all of an image asks for nothing else.
use Socket;
my ($where, $digest, $type, $size, $limit) = @ARGV;
my ($address, $port) = split /:/, $where;
alarm $limit;
socket(my $server, PF_INET, SOCK_STREAM, 0) or die "$!\n";
setsockopt($server, SOL_SOCKET, SO_REUSEADDR, 1);
bind($server, pack_sockaddr_in($port, inet_aton($address))) && listen($server, 16) or die "$where: $!\n";
$| = 1;
print "ready\n";
while (accept(my $client, $server)) {
    my $asked = <$client>;
    while (defined(my $line = <$client>)) { last if $line =~ /^\r?\n$/ }
    my $known = ($asked // "") =~ m{^(?:HEAD|GET) /v2/\S+/manifests/\Q$digest\E[ ?]};
    my $head = $known ? "200 OK\r\nContent-Type: $type\r\nContent-Length: $size\r\nDocker-Content-Digest: $digest"
        : "404 Not Found\r\nContent-Length: 0";
    send($client, "HTTP/1.1 $head\r\nConnection: close\r\n\r\n", 0);
    close($client);
}
