#!/bin/sh
# The machines of docs/tutorial.md: a client, a director and two web servers, each a network namespace on this machine.
#
#   network.sh start          makes the machines and starts the web servers
#   network.sh start web1     starts one web server again: web1, web2, or fallback on the director
#   network.sh stop web1      stops one web server
#   network.sh direct         a second cable from each web server, to the client: answers need not pass the director
#   network.sh stop           removes everything
set -eu
state=/run/ldirectord-tutorial
servers="web1 web2 fallback"

# link NAME ADDRESS: a machine with a cable to the director, which is .1 in that network.
link() {
	network=${2%.*}
	ip netns add "$1"
	ip -n director link add "to-$1" type veth peer name eth0 netns "$1"
	ip -n director address add "$network.1/32" dev "to-$1"
	ip -n director link set "to-$1" up
	ip -n director route add "$2/32" dev "to-$1"
	ip -n "$1" link set lo up
	ip -n "$1" address add "$2/24" dev eth0
	ip -n "$1" link set eth0 up
	ip -n "$1" route add default via "$network.1"
}

# direct NAME: a cable to the client. Packets of one connection come by one cable and go by the other.
direct() {
	ip -n client link add "to-$1" type veth peer name eth1 netns "$1"
	ip -n client address add 198.51.100.7/32 dev "to-$1"
	ip -n client link set "to-$1" up
	ip -n "$1" link set eth1 up
	ip -n "$1" route add 198.51.100.7/32 dev eth1
	for machine in client "$1"; do ip netns exec "$machine" sysctl -qw net.ipv4.conf.all.rp_filter=2; done
}

# start_server NAME: a web server whose only page is its name.
start_server() {
	machine=$1
	[ "$1" != fallback ] || machine=director
	mkdir -p "$state/$1"
	echo "$1" >"$state/$1/index.html"
	nohup ip netns exec "$machine" python3 -m http.server --directory "$state/$1" 80 >/dev/null 2>&1 &
	echo $! >"$state/$1.pid"
	ip netns exec "$machine" curl -s -o /dev/null --retry 30 --retry-delay 1 --retry-connrefused http://127.0.0.1/
}

stop_server() {
	kill "$(cat "$state/$1.pid")"
	rm "$state/$1.pid"
}

case "$*" in
start)
	ip netns add director
	ip -n director link set lo up
	ip -n director address add 192.0.2.10/32 dev lo
	ip netns exec director sysctl -qw net.ipv4.ip_forward=1
	link client 198.51.100.7
	link web1 10.9.0.21
	link web2 10.9.0.22
	for server in $servers; do start_server "$server"; done
	;;
stop)
	for server in $servers; do
		[ ! -e "$state/$server.pid" ] || stop_server "$server"
	done
	for machine in client web1 web2 director; do ip netns delete "$machine"; done
	rm -r "$state"
	;;
direct) for server in web1 web2; do direct "$server"; done ;;
"start "*) start_server "$2" ;;
"stop "*) stop_server "$2" ;;
*)
	sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac
