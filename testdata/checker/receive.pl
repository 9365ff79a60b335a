# Says of each line "pattern TAB text", both in hexadecimal, whether the text matches as the
# reference asks it: 1, 0, or E when Perl refuses the pattern (or works at it for a second).
use strict;
no warnings;
$| = 1;
$SIG{ALRM} = sub { die "slow" if $^S };
while (my $line = <STDIN>) {
	chomp $line;
	my ($pattern, $text) = map { pack "H*", $_ } split /\t/, $line, 2;
	my $answer = eval {
		alarm 1;
		$pattern eq "" || $text =~ /$pattern/ ? 1 : 0;
	};
	alarm 0;
	$answer = "E" if $@ ne "";
	print "$answer\n";
}
