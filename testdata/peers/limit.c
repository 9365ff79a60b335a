// The limit that `make peers` compares with: about the minimum cost of N checks every INTERVAL. It has one thread,
// one epoll descriptor, and sockets that don't block. Check k is due at k/N of the interval, rounded up to 10 ms, so
// that one wake-up starts several. Failed checks are only counted; the sum is printed at the end.
//
//     limit http|tcp|ping N INTERVAL_MS PORT
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <linux/icmp.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ICMP = UINT32_MAX }; // in an event: the raw socket
static const int64_t tick = 10000000, patience = 3000000000; // ns
static const char request[] = "GET /status HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\n\r\n";

struct server {
	struct sockaddr_in addr;
	int fd; // -1: no check of it is under way
	int sent;
	uint16_t sequence; // of its last ping
	int64_t deadline;
};

static struct server *servers;
static uint32_t n;
static int epoll, icmp;
static char kind; // 'h', 't' or 'p'
static unsigned long good, bad, late;
static volatile sig_atomic_t stopped;

static void stop(int signal) { (void)signal; stopped = 1; }

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void end(struct server *s, int ok)
{
	if (kind != 'p')
		close(s->fd);
	s->fd = -1;
	if (ok)
		good++;
	else
		bad++;
}

static void ping(struct server *s)
{
	struct { struct icmphdr head; uint32_t server; char rest[52]; } echo = { .server = s - servers };
	echo.head.type = ICMP_ECHO;
	echo.head.un.echo.id = getpid();
	echo.head.un.echo.sequence = ++s->sequence;
	uint32_t sum = 0;
	uint16_t words[sizeof echo / 2];
	memcpy(words, &echo, sizeof echo);
	for (size_t i = 0; i < sizeof echo / 2; i++)
		sum += words[i];
	sum = (sum >> 16) + (sum & 0xffff);
	echo.head.checksum = ~(sum + (sum >> 16));
	s->fd = icmp;
	if (sendto(icmp, &echo, sizeof echo, 0, (void *)&s->addr, sizeof s->addr) < 0)
		end(s, 0);
}

static void start(struct server *s)
{
	static const struct linger reset = { 1, 0 }; // leaves no TIME_WAIT
	if (s->fd >= 0) {
		late++;
		return;
	}
	s->deadline = now() + patience;
	s->sent = 0;
	if (kind == 'p') {
		ping(s);
		return;
	}
	if ((s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) < 0)
		err(1, "socket");
	setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	if (connect(s->fd, (void *)&s->addr, sizeof s->addr) < 0 && errno != EINPROGRESS) {
		end(s, 0);
		return;
	}
	struct epoll_event event = { .events = EPOLLOUT | (kind == 'h' ? EPOLLIN : 0) | EPOLLET, .data.u32 = s - servers };
	epoll_ctl(epoll, EPOLL_CTL_ADD, s->fd, &event);
}

static void proceed(struct server *s, uint32_t events)
{
	char answer[4096];
	if (s->fd < 0)
		return;
	if (events & EPOLLERR || kind == 't') {
		end(s, !(events & EPOLLERR));
		return;
	}
	if (!s->sent && send(s->fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0) {
		end(s, 0);
		return;
	}
	s->sent = 1;
	if (!(events & EPOLLIN))
		return;
	ssize_t got = recv(s->fd, answer, sizeof answer, 0); // the target's answer comes in one piece
	end(s, got > 12 && !memcmp(answer + 9, "200", 3) && memmem(answer, got, "OK</body>", 9));
}

static void takeReplies(void)
{
	struct { struct iphdr ip; struct icmphdr head; uint32_t server; char rest[60]; } echo; // replies have no IP options
	while (recv(icmp, &echo, sizeof echo, MSG_DONTWAIT) > 0) {
		if (echo.head.type != ICMP_ECHOREPLY || echo.head.un.echo.id != (uint16_t)getpid() || echo.server >= n)
			continue;
		struct server *s = &servers[echo.server];
		if (s->fd >= 0 && s->sequence == echo.head.un.echo.sequence && s->addr.sin_addr.s_addr == echo.ip.saddr)
			end(s, 1);
	}
}

static void openICMP(void)
{
	struct icmp_filter filter = { ~(1u << ICMP_ECHOREPLY) };
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = ICMP };
	int room = 8 << 20;
	if ((icmp = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP)) < 0)
		err(1, "raw socket");
	setsockopt(icmp, SOL_RAW, ICMP_FILTER, &filter, sizeof filter);
	setsockopt(icmp, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
	epoll_ctl(epoll, EPOLL_CTL_ADD, icmp, &event);
}

int main(int argc, char **argv)
{
	if (argc != 5)
		errx(2, "usage: limit http|tcp|ping N INTERVAL_MS PORT");
	kind = argv[1][0];
	n = atoi(argv[2]);
	int64_t interval = atoll(argv[3]) * 1000000, begin = now(), check = 0, expired = 0, due;
	servers = calloc(n, sizeof *servers);
	for (uint32_t i = 0; i < n; i++) // 127.1.0.1 to 127.1.0.250, 127.1.1.1 …
		servers[i] = (struct server){ .fd = -1, .addr = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[4])),
			.sin_addr.s_addr = htonl(127 << 24 | (1 + i / 62500) << 16 | i / 250 % 250 << 8 | (i % 250 + 1)) } };
	signal(SIGTERM, stop);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (kind == 'p')
		openICMP();
	while (!stopped) {
		struct epoll_event events[512];
		for (;; check++) {
			due = begin + check * interval / n;
			due = (due + tick - 1) / tick * tick;
			if (due > now())
				break;
			start(&servers[check % n]);
		}
		for (; expired < check; expired++) { // those that began first end first
			struct server *s = &servers[expired % n];
			if (s->fd >= 0 && s->deadline > now())
				break;
			if (s->fd >= 0)
				end(s, 0);
		}
		int64_t rest = due - now();
		int got = epoll_wait(epoll, events, 512, rest > 0 ? (rest + 999999) / 1000000 : 0);
		for (int i = 0; i < got; i++)
			if (events[i].data.u32 == ICMP)
				takeReplies();
			else
				proceed(&servers[events[i].data.u32], events[i].events);
	}
	fprintf(stderr, "%lu good, %lu bad, %lu late\n", good, bad, late);
}
