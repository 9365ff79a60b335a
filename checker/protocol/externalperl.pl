# Runs a file as the check type external-perl of the Perl ldirectord does: as the body of a function, with the four
# arguments in @ARGV and @_. The check succeeds unless the file dies, or calls exit with a value that is not 0 as a
# number.
#
# The file is compiled once. Then each line of descriptor 3 starts a check: its number, its limit in seconds and its
# arguments, with tabs between them. The answers are lines on standard output: "ready" at the beginning; when a check
# begins, its number and the process that runs it (or 0 and the reason why there is none); when it ends, its number, its
# status as of wait(2), and the beginning of its output in hexadecimal digits.
#
# Each check runs in a process of its own. A process whose check succeeded, and left nothing that can't be undone, stays
# for another check of the same virtual service (the first two arguments). Any other process ends with its check.
no warnings;

# The first END block runs last.
END { ldirectord::program::learn() }
BEGIN {
	*CORE::GLOBAL::exit = sub {
		if ($_[0] == 0 && $ldirectord::program::self == $$) {
			local $SIG{__DIE__};
			eval { goto ldirectord_program_again }; # impossible in a signal handler, for example
		}
		$ldirectord::program::left = 1; # it did not die
		CORE::exit($_[0] == 0 ? 0 : $_[0] & 255 || 255);
	};
}

sub ld_log { print STDERR "@_\n" }
sub ld_debug { }

# The code of the file begins here, so that it can't see the variables below.
sub ldirectord::program::compile { eval "package main; use warnings 'closure'; sub { \@ARGV = \@_;\n#line 1 \"$_[0]\"\n$_[1]\n}" }

package ldirectord::program;

# Modules that a file could use in the Perl ldirectord without loading them. One is loaded if the file's text mentions it.
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
# A file with one of these gets a new process for each check, because of what it keeps or does at its end.
my $once = qr/\bno\s+warnings\b|\bcommon::sense\b|^\s*(?:END\s*\{|package\b)|\bstate\s*[\$\@%(]/m;
my $kept = 4096;  # bytes of a check's output that are kept
my $idle = 61.7;  # seconds without a check after which a waiting process, or this one, ends; not a usual check interval
my $most = 40;    # processes that may wait for another check
my $share = 4;    # of them, for one virtual service: as many as begin at once
my $last = 1000;  # checks after which one of them ends
my $patience = 0.05; # seconds that a check may wait for the process of another one of its virtual service
my ($file, $daemon) = (shift @ARGV, getppid);
my ($failed, $error, $check);         # why the file can't be run: text and number; or its code
my ($said, %theirs);                  # from compiling the file: its output, its signal handlers
my $alone;                            # true: no process makes two checks
my @variables;                        # package variables of the file, and their values before a check
my %running;                          # by process: the check that it runs, an array that begin makes
my (%queue, %busy);                   # by virtual service: checks that wait for others; how many run
my %waiting;                          # by virtual service: the last checks of the processes that wait for another
my %ending;                           # processes that made a check and are told to end
my ($ready, $soon) = ("", "");        # answers to write now, and to write with the next ones
my ($news, $tell);                    # a pipe from the processes of checks, see heed
my ($next, $made);                    # in a check's process: a pipe with the arguments of others, and how many it made
my ($before, $home, $free);           # its state, its folder, and its lowest free descriptor before its first check
my ($name, $mask, %environment, %handlers); # what is restored after each check
my %loaded;                           # modules that were loaded before the check
my @signals = qw(ALRM CHLD HUP INT PIPE QUIT TERM USR1 USR2 __DIE__ __WARN__); # whose handlers are restored
our $left;                            # the check called exit
our $self;                            # the process id of a check's process if it may stay; otherwise 0

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

# load compiles the file, and keeps the output that this causes.
sub load {
	require Fcntl;
	pipe my $from, my $to;
	fcntl $_, Fcntl::F_SETFL(), Fcntl::O_NONBLOCK() for $from, $to; # what does not fit into the pipe is lost
	point($to);
	if (open my $in, "<", $file) {
		my $code = do { local $/; <$in> };
		close $in;
		for my $module (@modules) {
			eval "package main; use $module->[1]; 1" if $code =~ $module->[0];
		}
		my %known = %main::;
		# From its first call on, a named function has copies of its own of the "my" variables of the file.
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
	# A file that dies exits with the number of some error, which must not count as a weight.
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

# point redirects standard output and standard error to a handle.
sub point {
	open STDOUT, ">&", $_[0];
	open STDERR, ">&", $_[0];
}

# serve starts and ends checks. It returns only in the process of a check.
sub serve {
	my ($text, $open, $rest, $died, $looked) = ("", 1, $patience);
	$SIG{CHLD} = sub { $died = 1 }; # interrupts select
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
			%ending = (); # one that hangs is not awaited forever
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
		($ready, $soon) = ("$ready$soon", "") if $late; # the daemon has waited long enough
		delete @queue{grep !@{$queue{$_}}, keys %queue};
	}
	$ready .= $soon;
	send_answers();
	kill "KILL", $$; # END blocks are for checks
}

# begin starts a check. It returns true, except in a new process for the check.
sub begin {
	my ($number, $arguments, $service, $limit) = @_;
	while (my $run = pop @{$waiting{$service}}) {
		@$run[0, 2, 6, 7] = ($number, "", time, $limit);
		syswrite $run->[4], "$arguments\n" or next; # it has ended
		$running{$run->[5]} = $run;
		$busy{$service}++;
		$soon .= "$number\t$run->[5]\n"; # its end usually follows at once: sent together, they wake the daemon once
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

# again waits for the next check, if this process can make another one. Before the first it records what to restore.
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
			alarm 9; # limits END blocks of modules
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

# state returns what a check may have changed, for comparison.
sub state {
	join "\n", $0, $<, $>, umask, (map +(stat $_)[0, 1], $home, ".", *STDIN, *STDOUT, *STDERR),
		(map $_ || "DEFAULT", @SIG{@signals}), map "$_=$ENV{$_}", sort keys %ENV
}

# undo restores the state before the check. It returns false if it can't.
sub undo {
	return 0 if -e "/proc/self/fd/$free" || waitpid(-1, 1) != -1; # a descriptor is open, or a process runs
	select STDOUT;
	$| = 1; # flushes the output
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

# learn reports the modules that a check loaded, so that the next one need not load them.
sub learn {
	return if !%loaded || keys %loaded == keys %INC;
	my $names = join "", map "$_\n", grep !$loaded{$_} && /^\w[\w\/]*\.pm\z/, keys %INC;
	syswrite $tell, $names if length $names && length $names <= 4096;
	%loaded = %INC;
}

# heed reads what the processes of checks report: modules that they loaded, or that the check succeeded and they stay.
sub heed {
	sysread $news, my $words, 65536;
	for my $word (split /\n/, $words) {
		if ($word !~ /\D/) {
			my $run = $running{$word} or next;
			end($word, 0);
			my $quick = time - $run->[6] < $run->[7] / 2; # else the daemon might kill it during its next check
			$run->[6] = time;
			my $others = $waiting{$run->[3]}; # undefined: it began before a module was loaded
			my $stays = $quick && $others && @$others < $share && map(@$_, values %waiting) < $most;
			$stays ? push @$others, $run : $ending{$word}++;
			next;
		}
		next if $INC{$word};
		eval { package main; require $word } and %waiting = (); # each of them would load it
		alarm 0;
	}
}

# listen_to reads a check's output if there is any.
sub listen_to {
	my ($run, $bits) = @_;
	$run->[1] && vec $bits, fileno $run->[1], 1 or return;
	hark($run);
}

# hark reads a piece of output, and returns true if there may be more.
sub hark {
	my $run = $_[0];
	my $n = sysread $run->[1], my $text, 65536;
	$run->[2] .= substr $text, 0, $kept - length $run->[2] if $n;
	undef $run->[1] if defined $n && $n == 0;
	return $n;
}

# end reports the end of a check, with all of its output.
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

# send_answers writes the answers that are ready. A signal may cut a write short.
sub send_answers {
	while (length $ready) {
		my $n = syswrite $answers, $ready;
		defined $n || $! == 4 or kill "KILL", $$;
		substr $ready, 0, $n, "";
	}
}
__END__
