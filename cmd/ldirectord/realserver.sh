#!/bin/sh
# Sets up a real server of Linux Virtual Server. Made by ldirectord @CONFIG@ realserver-script.
#
#   sh SCRIPT start    adds the virtual addresses so that they answer no ARP here; doing it again does no harm
#   sh SCRIPT stop     undoes what start did, and nothing else
#   sh SCRIPT status   0: all of it is set up, 3: not all of it
#
# Run it as root, at each boot before the services start. Needs iproute2. By gate the addresses are on lo;
# by ipip on tunl0 or ip6tnl0, which then takes tunnelled packets from anyone: let the packet filter accept
# IP protocols 4 and 41 from the directors alone. masq needs no address, but a default route to the director.

name=@NAME@
server=@SERVER@ # empty: the one whose address this machine has

# Who serves which virtual addresses, and how.
virtual_addresses() {
@ADDRESSES@}

# What follows is the same in every such script.

# What start changed is noted here, for stop. A reboot clears the notes and the changes.
state=${RUNDIR:-/run}/ldirectord-realserver

newline='
'

fail() {
	printf '%s\n' "${0##*/}: $*" >&2
	exit 1
}

# holds LIST LINE: one of the lines of a list is this one.
holds() {
	case $newline$1$newline in *"$newline$2$newline"*) return 0 ;; esac
	return 1
}

# Every address of this machine, as DEVICE ADDRESS.
addresses_here() {
	ip -o address show | while read -r _ device family address _; do
		case $family in inet | inet6) printf '%s %s\n' "$device" "${address%/*}" ;; esac
	done
}

# has ADDRESS: an address of this machine.
has() {
	case "$here$newline" in *" $1$newline"*) return 0 ;; esac
	return 1
}

# serves SERVER gate|ipip|masq [ADDRESS]...: notes what this machine needs if it is that server.
serves() {
	[ -n "$server" ] || has "$1" || return 0
	found=yes method=$2
	shift 2
	[ "$method" != masq ] || masq=yes
	for address; do
		case $method:$address in
		gate:* | ipip:*/*) device=lo ;;
		ipip:*:*) device=ip6tnl0 ;;
		ipip:*) device=tunl0 ;;
		esac
		case $method:$address in
		ipip:*:*) tunnels="$tunnels ip6tnl0" ;;
		ipip:*) tunnels="$tunnels tunl0" ;;
		esac
		case $address in *:*) ;; *) arp=yes ;; esac
		holds "$wanted" "$device $address" || wanted=$wanted${wanted:+$newline}"$device $address"
	done
}

# Sets what this machine needs: wanted (lines of DEVICE ADDRESS), tunnels, arp.
survey() {
	command -v ip >/dev/null || fail "the command ip is missing (package iproute2)"
	here=$(addresses_here)
	wanted='' tunnels='' arp='' masq='' found=''
	virtual_addresses
	settings=''
	if [ -n "$arp" ]; then # answer ARP only for addresses of the device that is asked, and ask with one of those
		settings="net.ipv4.conf.all.arp_ignore=1,2,8 net.ipv4.conf.all.arp_announce=2"
	fi
	case $tunnels in *tunl0*) # what comes out of the tunnel came in by another device than its answer takes
		settings="$settings net.ipv4.conf.tunl0.rp_filter=2" ;;
	esac
}

# is_up DEVICE
is_up() {
	case $(ip -o link show dev "$1" 2>/dev/null) in *[\<,]UP[,\>]*) return 0 ;; esac
	return 1
}

# is_silent DEVICE: nobody asks there by ARP.
is_silent() {
	case $(ip -o link show dev "$1" 2>/dev/null) in *LOOPBACK* | *NOARP*) return 0 ;; esac
	return 1
}

# is_there ADDRESS: this machine takes packets to the address, or to the whole network if it has a length.
is_there() {
	case $1 in
	*:*/*) [ -n "$(ip -6 route show table local exact "$1" 2>/dev/null)" ] ;;
	*/*) [ -n "$(ip -4 route show table local exact "$1" 2>/dev/null)" ] ;;
	*) has "$1" ;;
	esac
}

# An address on a device where others ask for it would draw the traffic of all to this machine.
refuse_audible() {
	silent=''
	while read -r device address; do
		case $wanted$newline in *" $address$newline"*)
			[ "$device" = "$silent" ] || is_silent "$device" ||
				fail "$address is on $device, where it answers ARP: is this the director? Nothing was changed"
			silent=$device
			;;
		esac
	done <<END
$here
END
}

# path_of SETTING: its file.
path_of() { printf '/proc/sys/%s' "$1" | tr . /; }

# is_set SETTING=VALUE,...: the setting has one of the values.
is_set() {
	value=$(cat "$(path_of "${1%%=*}")" 2>/dev/null) || return 1
	case ,${1#*=}, in *",$value,"*) return 0 ;; esac
	return 1
}

# set_up SETTING=VALUE,...: gives the setting the first value unless it has one of them.
set_up() {
	! is_set "$1" || return 0
	values=${1#*=} setting=${1%%=*}
	file=$(path_of "$setting")
	[ -e "$state/settings/$setting" ] || cat "$file" >"$state/settings/$setting" || fail "cannot read $setting"
	printf '%s\n' "${values%%,*}" >"$file" || fail "cannot set $setting"
}

# open_tunnel DEVICE: the kernel makes the device with the module.
open_tunnel() {
	module=ipip
	[ "$1" != ip6tnl0 ] || module=ip6_tunnel
	ip link show dev "$1" >/dev/null 2>&1 || modprobe "$module" 2>/dev/null
	ip link show dev "$1" >/dev/null 2>&1 || fail "there is no device $1: is the kernel module $module missing?"
	! is_up "$1" || return 0
	: >"$state/links/$1" || fail "cannot write $state/links/$1"
	ip link set dev "$1" up || fail "cannot set $1 up"
}

# add DEVICE ADDRESS. An IPv6 address is deprecated at once, so that no connection of this machine's own
# starts from it; no other machine is asked whether it has the address: the director has.
add() {
	case $2 in
	*/*) ip route add local "$2" dev "$1" ;;
	*:*) ip address add "$2/128" dev "$1" nodad preferred_lft 0 ;;
	*) ip address add "$2/32" dev "$1" ;;
	esac
}

# remove DEVICE ADDRESS
remove() {
	case $2 in
	*/*) ip route del local "$2" dev "$1" ;;
	*:*) ip address del "$2/128" dev "$1" ;;
	*) ip address del "$2/32" dev "$1" ;;
	esac
}

# added_here: what start added and nobody has removed since, as DEVICE ADDRESS.
added_here() {
	sort -u "$state/addresses/$name" 2>/dev/null | while read -r device address; do
		case $address in
		*/*) is_there "$address" ;;
		*) holds "$here" "$device $address" ;;
		esac && printf '%s\n' "$device $address"
	done
}

# remove_all LINES
remove_all() {
	while read -r device address; do
		[ -z "$device" ] || remove "$device" "$address" || fail "cannot remove $address from $device"
	done <<END
$1
END
}

start() {
	survey
	[ -n "$found" ] || fail "this machine has no address of a real server"
	[ -z "$masq" ] || printf '%s\n' "masq needs no address here, but this machine's default route must lead to the director"
	refuse_audible
	umask 077
	mkdir -p "$state/addresses" "$state/settings" "$state/links" || fail "cannot write to $state"
	for one in $tunnels; do open_tunnel "$one"; done
	for one in $settings; do set_up "$one"; done # before the addresses: ARP is never answered for them
	added=$(added_here)
	stale='' kept=''
	while read -r device address; do # of an earlier version of this script
		if holds "$wanted" "$device $address"; then
			kept="$kept$device $address$newline"
		else
			stale="$stale$device $address$newline"
		fi
	done <<END
$added
END
	while read -r device address; do
		[ -n "$device" ] || continue
		! is_there "$address" || continue
		printf '%s\n' "$device $address" >>"$state/addresses/$name" || fail "cannot write $state/addresses/$name"
		kept="$kept$device $address$newline"
		add "$device" "$address" || fail "cannot add $address to $device"
	done <<END
$wanted
END
	remove_all "$stale"
	printf %s "$kept" >"$state/addresses/$name"
}

stop() {
	[ -d "$state" ] || return 0
	here=$(addresses_here)
	if [ -e "$state/addresses/$name" ]; then
		remove_all "$(added_here)"
		rm -f "$state/addresses/$name"
	fi
	for other in "$state/addresses"/*; do # another script like this one still needs the settings
		[ ! -s "$other" ] || return 0
	done
	for file in "$state/settings"/*; do
		[ ! -e "$file" ] || cat "$file" >"$(path_of "${file##*/}")"
	done
	for file in "$state/links"/*; do
		[ ! -e "$file" ] || ip link set dev "${file##*/}" down
	done
	rm -rf "$state"
}

status() {
	survey
	lacking=''
	[ -n "$found" ] || lacking="an address of a real server"
	while read -r device address; do
		[ -z "$device" ] || is_there "$address" || lacking="$lacking${lacking:+, }$address on $device"
	done <<END
$wanted
END
	for one in $tunnels; do
		is_up "$one" || lacking="$lacking${lacking:+, }$one up"
	done
	for one in $settings; do
		is_set "$one" || lacking="$lacking${lacking:+, }${one%%,*}"
	done
	if [ -n "$lacking" ]; then
		printf '%s\n' "stopped: missing: $lacking"
		exit 3
	fi
	printf '%s\n' running
}

case $#:$1 in
1:start | 1:stop) [ "$(id -u)" = 0 ] || fail "$1 needs root" ;;
esac
case $#:$1 in
1:start) start ;;
1:stop) stop ;;
1:status) status ;;
*)
	printf '%s\n' "usage: ${0##*/} start|stop|status" >&2
	exit 2
	;;
esac
