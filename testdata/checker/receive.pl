# Says of each line "pattern TAB text", both in hexadecimal, whether the text matches as the
# reference asks it: 1, 0, or E when Perl refuses the pattern (or works at it for a second).
use strict;
no warnings;
$| = 1;
while (my $line = <STDIN>) {
	chomp $line;
	my ($pattern, $text) = map { pack "H*", $_ } split /\t/, $line, 2;
	my $answer = eval {
		local $SIG{ALRM} = sub { die "slow" };
		alarm 1;
		my $matches = $pattern eq "" || $text =~ /$pattern/ ? 1 : 0;
		alarm 0;
		$matches;
	};
	$answer = "E" if $@ ne "";
	print "$answer\n";
}
