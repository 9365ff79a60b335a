# Completion of ldirectord for bash.
_ldirectord() {
	local commands='start stop restart try-restart reload force-reload status check plan probe standby notify
		drain undrain realserver-script connections doctor'
	local options='--debug --help --version --ipvs --log-format --rundir --strict --json --verbose --wait --force
		--keep --foreground --timeout'
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	case $previous in
	--ipvs) COMPREPLY=($(compgen -W 'kernel memory' -- "$current")) && return ;;
	--log-format) COMPREPLY=($(compgen -W 'text json' -- "$current")) && return ;;
	--rundir) COMPREPLY=($(compgen -d -- "$current")) && return ;;
	--help | -h)
		COMPREPLY=($(compgen -W 'commands options files directives checks drain standby marks exit' -- "$current"))
		return
		;;
	notify) COMPREPLY=($(compgen -W 'master backup fault stop' -- "$current")) && return ;;
	esac
	if [[ $current == -* ]]; then
		COMPREPLY=($(compgen -W "$options" -- "$current"))
		return
	fi
	local word given=
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		[[ $commands =~ (^|[[:space:]])"$word"([[:space:]]|$) ]] && return
		[[ $word == -* ]] || given=yes
	done
	COMPREPLY=($(compgen -W "$commands" -- "$current"))
	if [[ -z $given ]]; then # the file comes before the command
		local name
		for name in /etc/ha.d/*.cf /etc/ha.d/conf/*.cf; do
			[[ ! -e $name ]] || COMPREPLY+=($(compgen -W "${name##*/}" -- "$current"))
		done
		COMPREPLY+=($(compgen -f -X '!*.cf' -- "$current") $(compgen -d -S / -- "$current"))
	fi
}
complete -F _ldirectord ldirectord
