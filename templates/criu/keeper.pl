# keeper.pl HOME DAEMON: stands between a lazy restore and CRIU's page daemon, and holds the userfaultfds of the
# restored tasks as well. When the last holder of one is gone the kernel gives zeros for memory that is missing; as long
# as this one is there, tasks stop at it instead, whatever becomes of the daemon.
#
# It hands on what `criu restore` says (uffd.c): for each task its PID, as four bytes, and a byte with the descriptor, or
# a negative PID alone; then a word when tasks are about to run. Only the core of Perl: hosts may have no modules.
use strict;
use warnings;
use constant { FINISHED => 0x52535446, START => 10, RESTORE => 900 };

my ($home, $daemon) = @ARGV;
# Until somebody restores, nobody needs the daemon, which would wait for ever: it goes with this.
$SIG{__DIE__} = sub { kill 'TERM', $daemon };
chdir $home or die "$home: $!\n";
$SIG{HUP} = $SIG{PIPE} = 'IGNORE';
put('keeper.pid', $$);
put('/proc/self/oom_score_adj', -1000) if -w '/proc/self/oom_score_adj';    # the daemon may go, this must not
my %numbers = (x86_64 => [46, 47], ppc64le => [341, 342], s390x => [370, 372]);
my ($SENDMSG, $RECVMSG) = @{$numbers{`uname -m` =~ s/\s//r} // [211, 212]};    # as all newer ones

sub put { my ($file, $text) = @_; open my $out, '>', $file or die "$file: $!\n"; print $out "$text\n"; close $out }
sub lives { kill 0, $daemon }
sub unix { socket my $made, 1, 1, 0 or die "socket: $!\n"; $made }
sub at { pack 'S a*', 1, shift }

# A message of so many bytes and room for one descriptor, in memory of its own: the kernel writes into it.
sub message {
    my ($length, $control) = @_;
    my $m = {data => '', control => ''};
    vec($m->{data}, $length * 8 - 1, 1) = 0;
    vec($m->{control}, 24 * 8 - 1, 1) = 0;
    substr $m->{control}, 0, 24, $control if $control;
    $m->{iov} = pack 'P Q', $m->{data}, $length;
    $m->{header} = pack 'Q Q P Q P Q Q', 0, 0, $m->{iov}, 1, $m->{control}, 24, 0;
    return $m;
}
sub receive_fd {
    my $m = message(1);
    return if syscall($RECVMSG, fileno(shift), $m->{header}, 0x40000000) != 1;    # MSG_CMSG_CLOEXEC
    my ($size, $level, $type, $fd) = unpack 'Q i i i', $m->{control};
    return unless $size == 20 && $level == 1 && $type == 1;
    open my $held, '+<&=', $fd or return;
    return $held;
}
sub send_fd {
    my ($to, $fd) = @_;
    return syscall($SENDMSG, fileno $to, message(1, pack 'Q i i i x4', 20, 1, 1, fileno $fd)->{header}, 0) == 1;
}

my @kept;

# --- between the two ---

my $down = unix();
my $end = time + START;
until (connect $down, at('pages/lazy-pages.socket')) {
    die "the daemon does not start\n" if time > $end || !lives();
    select undef, undef, undef, 0.002;
}
my $listen = unix();
unlink 'keeper.socket', 'lazy-pages.socket';
bind $listen, at('keeper.socket') or die "bind: $!\n";
listen $listen, 1 or die "listen: $!\n";
rename 'keeper.socket', 'lazy-pages.socket' or die "rename: $!\n";
sub readable {    # which of them, within so many seconds
    my ($seconds, @from) = @_;
    my $bits = '';
    vec($bits, fileno $_, 1) = 1 for @from;
    return if select($bits, undef, undef, $seconds) <= 0;
    return map { vec($bits, fileno $_, 1) } @from;
}
for (my $waited = 0; !readable(1, $listen); $waited++) {
    # Whoever removes the container has not seen the daemon.
    next if $waited < RESTORE && lives() && -e "$home/keeper.pid";
    die "nothing was restored\n";
}
accept my $up, $listen or die "accept: $!\n";
$SIG{__DIE__} = 'DEFAULT';
close $listen;

# Without the daemon tasks would wait for memory before they are complete: the restore fails by its next word instead.
# What it said before counts: after the last one tasks run.
my $finished;
until ($finished) {
    my (undef, $over) = readable(undef, $up, $down);
    shutdown $up, 0 if $over;
    my $got = sysread $up, my $word, 4;
    last unless defined $got && $got == 4;
    my $pid = unpack 'i', $word;
    $finished = $pid == FINISHED;
    my $fd;
    if ($pid > 0 && !$finished) {
        $fd = receive_fd($up) or last;
        push @kept, $fd;
    }
    syswrite $down, $word;
    send_fd($down, $fd) if $fd;
}
close $up;
exit 1 unless $finished;

# The daemon closes the descriptor of a task that has all its memory, and counts on that to end what the kernel tells it
# of that task; with a copy it would be told of what it has freed. So only the descriptor of an only task is held.
@kept = () if @kept > 1;
sub closed { (readable(undef, $down))[0] && !sysread $down, my $rest, 1 }
1 until closed();    # by its end alone

# How it ended is written down by its parent. When not all has come, the container is removed; then this ends too.
sub status { open my $in, '<', 'lazy-pages.status' or return ''; my $line = <$in> // ''; chomp $line; $line }
$end = time + 5;
select undef, undef, undef, 0.002 until status() ne '' || time > $end;
exit 0 if status() eq '0';
sleep 1 while -d $home;
