# tasks.pl PID...: what these processes and threads are that CRIU cannot make again, or forgets.
# It takes for granted that a process has its memory, working folder and umask for itself, and that the threads of one
# have all that in common.
use strict; use warnings;
use POSIX ();
my $MOST = 2000;    # threads that are looked at
my $KCMP = {'x86_64' => 312, 'aarch64' => 272}->{(POSIX::uname())[4]};
my $DEADLINE = 6;   # SCHED_DEADLINE, the 41st field of a thread's stat
my ($VM, $FILES, $FS) = (1, 2, 3);
my %mine = map { $_ => 1 } @ARGV;
my %said;

sub say_once { my $line = shift; print "$line\n" unless $said{$line}++ }
sub of { my ($pid) = @_; my %is; open(my $file, '<', "/proc/$pid/status") or return {}; while (<$file>) { $is{$1} = $2 if /^(\w+):\s*(.*)$/ } return \%is }
sub same { my ($one, $other, $what) = @_; my $said = syscall($KCMP, $one + 0, $other + 0, $what, 0, 0); return $said < 0 ? undef : $said == 0 }

# A program that is being started shares the memory of who starts it, and one that ends has nothing, for an instant.
sub say_if_lasting {
    my ($line, $look) = @_;
    return if $said{$line};
    for (1 .. 4) { return unless $look->(); select(undef, undef, undef, 0.1) }
    say_once($line);
}

sub lines { my ($file, $like) = @_; open(my $from, '<', $file) or return (); return grep { /$like/ } <$from> }

# Locked memory is rare, so that the walk through a process's pages is made for few.
sub locked {
    my ($pid, $name) = @_;
    my @flags = lines("/proc/$pid/smaps", qr/^VmFlags:/);
    say_once('forgotten lock-on-fault ' . $name) if grep { / lf\b/ } @flags;
    say_once('forgotten lock-all ' . $name) unless grep { !/ (?:lo|io|de)\b/ && !/: ex\s*$/ } @flags;    # but for the kernel's own
}

# Whoever opens a file that is leased for writing has to wait until the lease is given back; who copies it, too.
my %leased = map { $_->[4] => 1 } grep { $_->[1] eq 'LEASE' && ($_->[3] eq 'WRITE' || $_->[2] eq 'BREAKING') } map { [split] } lines('/proc/locks', qr/ LEASE /);

for my $pid (@ARGV) {
    my $is = of($pid);
    my $name = $is->{Name} // next;
    if (($is->{State} // '') =~ /^Z/) {
        say_if_lasting("leaderless $name", sub { (of($pid)->{Threads} // 1) > 1 });
        next;
    }
    say_once("lease $name") if $leased{$pid};
    say_once("forgotten personality $name") if lines("/proc/$pid/personality", qr/[1-9a-f]/);
    say_once("timers $name") if lines("/proc/$pid/timers", qr{^notify:.*/tid\.});
    say_once("forgotten merging $name") if lines("/proc/$pid/ksm_stat", qr/^ksm_merge_any: yes/);
    locked($pid, $name) if ($is->{VmLck} // '') =~ /^[1-9]/;
    next unless $KCMP;
    my $parent = $is->{PPid};
    if ($mine{$parent}) {
        say_if_lasting("shares memory $name", sub { same($pid, $parent, $VM) });
        say_if_lasting("shares folder $name", sub { same($pid, $parent, $FS) });
    }
    opendir(my $list, "/proc/$pid/task") or next;
    my %spaces = map { $_ => readlink "/proc/$pid/ns/$_" // '' } qw(net uts ipc mnt cgroup);
    for my $thread (grep { /^\d+$/ } readdir $list) {
        last if $MOST-- <= 0;
        my ($stat) = lines("/proc/$pid/task/$thread/stat", qr/./);
        my @after = split ' ', ($stat // '') =~ s/.*\) //sr;    # from the third field on: a name may have anything in it
        say_once("deadline $name") if ($after[38] // 0) == $DEADLINE;
        next if $thread == $pid;
        for my $what (['folder', $FS], ['files', $FILES]) {
            say_if_lasting("apart $what->[0] $name", sub { !(same($pid, $thread, $what->[1]) // 1) });
        }
        for my $space (keys %spaces) {
            my $its = readlink "/proc/$pid/task/$thread/ns/$space";
            say_once("nested $space") if $its && $its ne $spaces{$space};
        }
    }
}
