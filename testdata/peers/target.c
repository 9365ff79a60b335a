// The server that is checked by `make peers`: one thread answers every connection to any address of 127.0.0.0/8 with one
// small page, and counts. For each byte of its standard input it prints how many connections it has accepted and by how
// many of its addresses. It ends when its standard input does.
//
//     target PORT
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const char answer[] = "HTTP/1.1 200 OK\r\nServer: peers\r\nContent-Type: text/html\r\nContent-Length: 43\r\n"
	"Connection: close\r\n\r\n<html><body>this server is OK</body></html>";
static uint8_t known[1 << 24]; // by the last three bytes of an address
static unsigned long accepted, addresses;

static void report(void)
{
	char byte;
	if (read(0, &byte, 1) <= 0)
		exit(0);
	printf("%lu %lu\n", accepted, addresses);
	fflush(stdout);
}

static void take(int epoll, int listening)
{
	for (;;) {
		int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
		if (fd < 0)
			return;
		struct sockaddr_in to;
		socklen_t size = sizeof to;
		if (getsockname(fd, (void *)&to, &size) == 0) {
			uint8_t *k = &known[ntohl(to.sin_addr.s_addr) & 0xffffff];
			addresses += !*k;
			*k = 1;
		}
		accepted++;
		struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
	}
}

static void serve(int fd)
{
	char request[4096];
	ssize_t n = recv(fd, request, sizeof request, 0);
	if (n > 0 && !memmem(request, n, "\r\n\r\n", 4))
		return;
	if (n > 0)
		send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL);
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		errx(2, "usage: target PORT");
	int listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), epoll = epoll_create1(0), yes = 1;
	setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[1])) };
	if (bind(listening, (void *)&any, sizeof any) || listen(listening, 65535))
		err(1, "port %s", argv[1]);
	struct epoll_event event = { .events = EPOLLIN, .data.fd = listening }, events[256];
	epoll_ctl(epoll, EPOLL_CTL_ADD, listening, &event);
	event.data.fd = 0;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &event))
		err(1, "standard input");
	for (;;) {
		int n = epoll_wait(epoll, events, 256, -1);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			if (fd == listening)
				take(epoll, listening);
			else if (fd == 0)
				report();
			else
				serve(fd);
		}
	}
}
