// Lets keepalived run where the kernel has no IPVS: it then uses the socket options of linux/ip_vs.h. Loaded by
// LD_PRELOAD, this reports success for all of them, with an empty table of version 1.2.1.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static int isIPVS(int level, int option) { return level == IPPROTO_IP && option >= 1152 && option < 1280; }

int getsockopt(int fd, int level, int option, void *value, socklen_t *size)
{
	int (*next)(int, int, int, void *, socklen_t *) = dlsym(RTLD_NEXT, "getsockopt");
	if (!isIPVS(level, option))
		return next(fd, level, option, value, size);
	const unsigned version = 1 << 16 | 2 << 8 | 1; // the first member of struct ip_vs_getinfo
	memset(value, 0, *size);
	memcpy(value, &version, *size < sizeof version ? *size : sizeof version);
	return 0;
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
	int (*next)(int, int, int, const void *, socklen_t) = dlsym(RTLD_NEXT, "setsockopt");
	return isIPVS(level, option) ? 0 : next(fd, level, option, value, size);
}
