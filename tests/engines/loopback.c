/* Preloaded into a test server: it listens on loopback only, and it ends with the process that started it.

   Orthanc before 1.12.10 binds every interface whatever is configured. Here a bind() to the IPv4 or IPv6 wildcard
   address becomes one to the loopback address. On Linux the server is also killed when the thread that started it
   ends, so that a test run killed outright leaves nothing behind.

   Build: cc -shared -fPIC -o loopback.so loopback.c -ldl     Use: LD_PRELOAD=/full/path/loopback.so */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#ifdef __linux__
#include <signal.h>
#include <sys/prctl.h>

__attribute__((constructor)) static void end_with_parent(void)
{
  prctl(PR_SET_PDEATHSIG, SIGKILL);
}
#endif

int bind(int fd, const struct sockaddr *address, socklen_t length)
{
  int (*real_bind)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "bind");
  struct sockaddr_storage copy;

  if (!address || length > (socklen_t)sizeof copy)
    return real_bind(fd, address, length);
  memset(&copy, 0, sizeof copy);
  memcpy(&copy, address, length);
  if (copy.ss_family == AF_INET) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)&copy;
    if (v4->sin_addr.s_addr == htonl(INADDR_ANY))
      v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  } else if (copy.ss_family == AF_INET6) {
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&copy;
    if (IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr))
      v6->sin6_addr = in6addr_loopback;
  }
  return real_bind(fd, (struct sockaddr *)&copy, length);
}
