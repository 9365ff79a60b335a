# Runs a file as the check type external-perl does in the Perl ldirectord: as the body of a function,
# with the four arguments in @ARGV and @_. It is a success unless the file dies, or calls exit with
# something that is not 0 as a number.
#
# The file is compiled once. Then each line of descriptor 3, NUMBER, its limit in seconds and the arguments with
# tabs between them, is a check in a process of its own at that time. The answers are lines on the standard output: "ready"
# in the beginning, for a check NUMBER and the process that runs it (0: there can be none, and why), and at
# its end NUMBER, its status as of wait(2), and the beginning of its output in hexadecimal digits.
#
# A process whose check succeeded, and left nothing that can't be undone, stays for another check of
# its virtual service, the first two arguments. Each other one ends with its check.
no warnings;

# The first END block runs last.
END { ldirectord::program::learn() }
BEGIN {
	*CORE::GLOBAL::exit = sub {
		if ($_[0] == 0 && $ldirectord::program::self == $$) {
			local $SIG{__DIE__};
			eval { goto ldirectord_program_again }; # impossible from a handler of a signal, and the like
		}
		$ldirectord::program::left = 1; # no death
		CORE::exit($_[0] == 0 ? 0 : $_[0] & 255 || 255);
	};
}

sub ld_log { print STDERR "@_\n" }
sub ld_debug { }

# Nothing of what follows is seen by the file: its code begins here.
sub ldirectord::program::compile { eval "package main; use warnings 'closure'; sub { \@ARGV = \@_;\n#line 1 \"$_[0]\"\n$_[1]\n}" }

package ldirectord::program;

# What a file could use there without asking for it, loaded where its text speaks of it.
my @modules = (
	[ qr/\b(?:inet_|sockaddr_|pack_sockaddr|[AP]F_INET|SOCK_|gethost|INADDR_)/, "Socket" ],
	[ qr/\bIO::Socket\b/, "IO::Socket" ],
	[ qr/\bIO::Select\b/, "IO::Select" ],
	[ qr/\bhostname\b/, "Sys::Hostname" ],
	[ qr/\b(?:setsid|WNOHANG|WIFEXITED|WEXITSTATUS|uname|POSIX)\b/, "POSIX qw(setsid uname :sys_wait_h)" ],
	[ qr/\bmd5/, "Digest::MD5 qw(md5 md5_hex)" ],
	[ qr/\bLWP::UserAgent\b/, "LWP::UserAgent" ],
	[ qr/\bNet::HTTP\b/, "Net::HTTP" ],
	[ qr/\bNet::Ping\b/, "Net::Ping" ],
	[ qr/\bNet::SMTP\b/, "Net::SMTP" ],
	[ qr/\bURI\b/, "URI" ],
);
# A file with one of these is for processes that make one check: what it keeps otherwise, or does at its end.
my $once = qr/\bno\s+warnings\b|\bcommon::sense\b|^\s*(?:END\s*\{|package\b)|\bstate\s*[\$\@%(]/m;
my $kept = 4096;  # bytes of the output of a check
my $idle = 61.7;  # seconds without a check until a process ends, and this; hardly an interval
my $most = 40;    # processes that wait for another check
my $share = 4;    # of them for one virtual service: as many as begin at once
my $last = 1000;  # checks that one of them makes
my $patience = 0.05; # seconds that a check waits for others of its virtual service, to have their process after them
my ($file, $daemon) = (shift @ARGV, getppid);
my ($failed, $error, $check);         # why there is no check
my ($said, %theirs);                  # while it was compiled: its output, its handlers of signals
my $alone;                            # true: no process makes two checks
my @variables;                        # package variables of the file, and their values before a check
my %running;                          # by process: the check that it runs, an array as begin makes it
my (%queue, %busy);                   # by virtual service: checks that wait for others; how many run
my %waiting;                          # by virtual service: the last checks of the processes that wait for another
my %ending;                           # processes that made a check and are told to end
my ($ready, $soon) = ("", "");        # answers that are to be written now, and with the next ones
my ($news, $tell);                    # a pipe from the processes of checks: modules that were loaded, their end
my ($next, $made);                    # in the process of a check: a pipe with the arguments of others, their number
my ($before, $home, $free);           # its state, its folder, and its lowest free descriptor before the first
my ($name, $mask, %environment, %handlers); # what is set again after each
my %loaded;                           # modules that were loaded before the check
my @signals = qw(ALRM CHLD HUP INT PIPE QUIT TERM USR1 USR2 __DIE__ __WARN__); # that are undone
our $left;                            # the check called exit
our $self;                            # the process of a check, if it may stay

open my $orders, "<&=", 3 or die "no orders: $!\n";
open my $answers, ">&", \*STDOUT or die "no answers: $!\n";
my @check = serve(load());
# From here on this is the process of a check, outside of all loops.
package main;
ldirectord_program_again:
@check = ldirectord::program::again(@check);
$check->(@check);
goto ldirectord_program_again;

package ldirectord::program;

# load compiles the file, and keeps what is said meanwhile.
sub load {
	require Fcntl;
	pipe my $from, my $to;
	fcntl $_, Fcntl::F_SETFL(), Fcntl::O_NONBLOCK() for $from, $to; # more than it holds is lost
	point($to);
	if (open my $in, "<", $file) {
		my $code = do { local $/; <$in> };
		close $in;
		for my $module (@modules) {
			eval "package main; use $module->[1]; 1" if $code =~ $module->[0];
		}
		my %known = %main::;
		# A named function has "my" variables of the file that it uses for itself, from its first call on.
		my $warn = sub { $_[0] =~ /will not stay shared|is not available/ ? $alone = 1 : print STDERR $_[0] };
		$SIG{__WARN__} = $warn;
		$check = compile($file, $code) or $failed = $@;
		$alone ||= !$check || $SIG{__WARN__} != $warn || $code =~ $once;
		delete $SIG{__WARN__} if $SIG{__WARN__} == $warn;
		for my $name (grep !$known{$_} && $main::{$_}, $code =~ /[\$\@%]\{?(?:(?:main)?::)?([a-z]\w*)/gi) {
			$known{$name} = 1;
			push @variables, [ \*{"main::$name"}, ${"main::$name"}, [ @{"main::$name"} ], { %{"main::$name"} } ];
		}
	} else {
		($failed, $error) = ("can't open $file: $!\n", $!);
	}
	# The number of any error, with which a file ends that dies, is no weight.
	eval 'END { $? = 255 if $? && !$left }' if $ldirectord::program::weighs;
	pipe $news, $tell;
	opendir $home, ".";
	alarm 0;
	%theirs = map +($_, $SIG{$_} || "DEFAULT"), qw(CHLD PIPE);
	open my $nowhere, ">", "/dev/null";
	point($nowhere);
	sysread $from, $said, $kept;
	$said = "" unless defined $said;
}

# point makes a handle the standard output and the standard error.
sub point {
	open STDOUT, ">&", $_[0];
	open STDERR, ">&", $_[0];
}

# serve starts and ends checks. It returns in the process of a check alone.
sub serve {
	my ($text, $open, $rest, $died, $looked) = ("", 1, $patience);
	$SIG{CHLD} = sub { $died = 1 }; # ends select
	$SIG{PIPE} = "IGNORE";
	answer("ready");
	while ($open || %running) {
		if (!$open && getppid != $daemon) { # nobody would kill them at the limit
			kill "KILL", map -$_, keys %running;
			last;
		}
		send_answers();
		my $bits = "";
		vec($bits, 3, 1) = 1 if $open;
		vec($bits, fileno $news, 1) = 1;
		$_->[1] and vec($bits, fileno $_->[1], 1) = 1 for values %running;
		(my $n, $rest) = select $bits, undef, undef, %running || %ending ? $rest : $idle;
		my $late = $n == 0 || $rest <= 0; # a check that prints without a pause may keep select from waiting
		($ready, $soon) = ($soon, "");
		$n > 0 or $bits = "";
		$rest > 0 or $rest = $patience;
		last if $n == 0 && !%running && !%ending;
		listen_to($_, $bits) for values %running;
		heed() if vec $bits, fileno $news, 1;
		if ($died || $late) {
			$died = 0;
			while ((my $pid = waitpid -1, 1) > 0) {
				end($pid, $?);
			}
		}
		if (time > $looked) {
			$looked = time + 9;
			%ending = (); # one that hangs is not watched for good
			for my $some (values %waiting) {
				@$some = grep $_->[6] >= time - $idle, @$some;
			}
		}
		if ($open && vec $bits, 3, 1) {
			$n = sysread $orders, $text, 65536, length $text;
			$open = $n > 0 if defined $n;
			while ($text =~ s/^(.*)\n//) {
				my ($number, $limit, $arguments) = split /\t/, $1, 3;
				my ($service) = $arguments =~ /^(.*?\t.*?)\t/;
				$rest = $patience if !%queue;
				push @{$queue{$service}}, [ $number, $arguments, $service, $limit ];
			}
		}
		for my $checks (values %queue) {
			while (@$checks && ($late || !$busy{$checks->[0][2]})) {
				my $check = shift @$checks;
				begin(@$check) or return split /\t/, $check->[1], -1;
			}
		}
		($ready, $soon) = ("$ready$soon", "") if $late; # the daemon waited enough
		delete @queue{grep !@{$queue{$_}}, keys %queue};
	}
	$ready .= $soon;
	send_answers();
	kill "KILL", $$; # END blocks are for checks
}

# begin starts a check, and returns true but in a new process for it.
sub begin {
	my ($number, $arguments, $service, $limit) = @_;
	while (my $run = pop @{$waiting{$service}}) {
		@$run[0, 2, 6, 7] = ($number, "", time, $limit);
		syswrite $run->[4], "$arguments\n" or next; # it has ended
		$running{$run->[5]} = $run;
		$busy{$service}++;
		$soon .= "$number\t$run->[5]\n"; # mostly its end is the next answer, and wakes the daemon once
		return 1;
	}
	pipe my $from, my $to or return answer($number, 0, unpack "H*", "$!");
	pipe $next, my $order or return answer($number, 0, unpack "H*", "$!");
	my $pid = fork;
	return answer($number, 0, unpack "H*", "$!") if !defined $pid;
	setpgrp $pid, $pid;
	if ($pid) {
		fcntl $from, Fcntl::F_SETFL(), Fcntl::O_NONBLOCK();
		$running{$pid} = [ $number, $from, "", $service, $order, $pid, time, $limit ];
		$busy{$service}++;
		return answer($number, $pid);
	}
	point($to);
	undef %running;
	undef %waiting;
	close $_ for $orders, $answers, $news, $from, $to, $order;
	$self = $alone ? 0 : $$;
	%loaded = %INC;
	syswrite STDERR, $said;
	@SIG{keys %theirs} = values %theirs;
	$check ||= sub { die $failed };
	return 0;
}

# again waits for the next check, if this process can make one as the first.
sub again {
	my @arguments = @_;
	if ($made++) {
		alarm 0;
		CORE::exit(0) if $self != $$ || $made > $last || !eval { undo() };
		learn();
		syswrite $tell, "$$\n";
		my ($n, $line);
		do { $n = sysread $next, $line, 65536 } until defined $n || $! != 4;
		if (!$n) {
			alarm 9; # for END blocks of modules
			CORE::exit(0);
		}
		chomp $line;
		@arguments = split /\t/, $line, -1;
		syswrite STDERR, $said if length $said;
	} elsif ($self) {
		opendir my $lowest, "/";
		$free = fileno $lowest;
		closedir $lowest;
		($name, $mask, %environment) = ($0, umask, %ENV);
		@handlers{@signals} = @SIG{@signals};
		$before = state();
	}
	$^T = time;
	($!, $?) = ($error, 0);
	return @arguments;
}

# state is what a check may have changed, for comparison.
sub state {
	join "\n", $0, $<, $>, umask, (map +(stat $_)[0, 1], $home, ".", *STDIN, *STDOUT, *STDERR),
		(map $_ || "DEFAULT", @SIG{@signals}), map "$_=$ENV{$_}", sort keys %ENV
}

# undo makes all as before the check. It returns false where it can't.
sub undo {
	return 0 if -e "/proc/self/fd/$free" || waitpid(-1, 1) != -1; # something is open, or a process runs
	select STDOUT;
	$| = 1; # writes what waits
	($_, $/, $,, $\, $|, $@) = (undef, "\n", undef, undef, 0, "");
	for my $variable (@variables) {
		my ($glob, $scalar, $array, $hash) = @$variable;
		(${*$glob}, @{*$glob}, %{*$glob}) = ($scalar);
		@{*$glob} = @$array;
		%{*$glob} = %$hash;
	}
	return 1 if state() eq $before;
	chdir $home;
	umask $mask;
	$0 = $name;
	$SIG{$_} = $handlers{$_} || (/__/ ? undef : "DEFAULT") for @signals;
	%ENV = %environment;
	return state() eq $before;
}

# learn tells which modules a check loaded when it ran, so that the next one need not.
sub learn {
	return if !%loaded || keys %loaded == keys %INC;
	my $names = join "", map "$_\n", grep !$loaded{$_} && /^\w[\w\/]*\.pm\z/, keys %INC;
	syswrite $tell, $names if length $names && length $names <= 4096;
	%loaded = %INC;
}

# heed takes what processes of checks tell: which modules were loaded, and that the check succeeded and they stay.
sub heed {
	sysread $news, my $words, 65536;
	for my $word (split /\n/, $words) {
		if ($word !~ /\D/) {
			my $run = $running{$word} or next;
			end($word, 0);
			my $quick = time - $run->[6] < $run->[7] / 2; # the daemon does not kill it meanwhile, with another check
			$run->[6] = time;
			my $others = $waiting{$run->[3]}; # none: it is from before a module was loaded
			my $stays = $quick && $others && @$others < $share && map(@$_, values %waiting) < $most;
			$stays ? push @$others, $run : $ending{$word}++;
			next;
		}
		next if $INC{$word};
		eval { package main; require $word } and %waiting = (); # they would load it one by one
		alarm 0;
	}
}

# listen_to reads what a check says, if there is something.
sub listen_to {
	my ($run, $bits) = @_;
	$run->[1] && vec $bits, fileno $run->[1], 1 or return;
	hark($run);
}

# hark reads, and returns true if there may be more.
sub hark {
	my $run = $_[0];
	my $n = sysread $run->[1], my $text, 65536;
	$run->[2] .= substr $text, 0, $kept - length $run->[2] if $n;
	undef $run->[1] if defined $n && $n == 0;
	return $n;
}

# end tells of the end of a check. Its process said all that it had to say.
sub end {
	my ($pid, $status) = @_;
	my $run = delete $running{$pid};
	if (!$run) {
		delete $ending{$pid};
		for my $some (values %waiting) {
			@$some = grep $_->[5] != $pid, @$some;
		}
		return;
	}
	--$busy{$run->[3]} or delete $busy{$run->[3]};
	1 while $run->[1] && length $run->[2] < $kept && hark($run);
	answer($run->[0], $status, unpack "H*", $run->[2]);
}

# answer adds a line to the answers, and returns true.
sub answer { $ready .= join("\t", @_) . "\n" }

# send_answers writes them. A signal may cut a write short.
sub send_answers {
	while (length $ready) {
		my $n = syswrite $answers, $ready;
		defined $n || $! == 4 or kill "KILL", $$;
		substr $ready, 0, $n, "";
	}
}
__END__
