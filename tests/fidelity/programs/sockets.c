/* Sockets of every family that can move, in every state, with options set and bytes that wait. */
#include "states.h"
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static void on(int fd, int level, int name, int value) { TRY(setsockopt(fd, level, name, &value, sizeof value)); }

static struct sockaddr_in inet(int port) {
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int listening(int port) {
    struct sockaddr_in at = inet(port);
    int fd = TRY(socket(AF_INET, SOCK_STREAM, 0));
    on(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    TRY(bind(fd, (void *)&at, sizeof at));
    TRY(listen(fd, 17));
    return fd;
}

static void connected(int port, int *near, int *far) {
    struct sockaddr_in at = inet(port);
    int fd = listening(port);
    *near = TRY(socket(AF_INET, SOCK_STREAM, 0));
    TRY(connect(*near, (void *)&at, sizeof at));
    *far = TRY(accept(fd, NULL, NULL));
    close(fd);
}

static void tcp(void) {
    int near, far, fd = listening(8001);
    on(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    on(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5);
    connected(8002, &near, &far);
    on(near, SOL_SOCKET, SO_KEEPALIVE, 1);
    on(near, IPPROTO_TCP, TCP_KEEPIDLE, 77);
    on(near, IPPROTO_TCP, TCP_KEEPINTVL, 7);
    on(near, IPPROTO_TCP, TCP_KEEPCNT, 4);
    on(near, IPPROTO_TCP, TCP_NODELAY, 1);
    on(near, IPPROTO_TCP, TCP_USER_TIMEOUT, 12345);
    on(near, IPPROTO_TCP, TCP_QUICKACK, 0);
    on(near, SOL_SOCKET, SO_OOBINLINE, 1);
    on(near, SOL_SOCKET, SO_PRIORITY, 3);
    on(near, IPPROTO_IP, IP_TOS, 0x10);
    on(near, IPPROTO_IP, IP_TTL, 33);
    struct linger linger = {1, 9};
    struct timeval wait = {3, 500000};
    TRY(setsockopt(near, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
    TRY(setsockopt(near, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait));
    TRY(setsockopt(near, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait));
    on(far, SOL_SOCKET, SO_RCVBUF, 50000);
    on(far, SOL_SOCKET, SO_SNDBUF, 60000);
    TRY(write(near, "waits to be read", 16));
    connected(8003, &near, &far);
    TRY(shutdown(near, SHUT_WR)); /* FIN_WAIT2 and CLOSE_WAIT */
    TRY(fcntl(near, F_SETFL, O_NONBLOCK));
    TRY(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)); /* neither bound nor connected */
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(8004), .sin6_addr = in6addr_any};
    fd = TRY(socket(AF_INET6, SOCK_STREAM, 0));
    on(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    TRY(bind(fd, (void *)&six, sizeof six));
    TRY(listen(fd, 3));
}

static void udp(void) {
    struct sockaddr_in at = inet(8101);
    struct ip_mreq group = {.imr_multiaddr.s_addr = inet_addr("239.7.7.7")};
    int fd = TRY(socket(AF_INET, SOCK_DGRAM, 0));
    on(fd, SOL_SOCKET, SO_BROADCAST, 1);
    on(fd, SOL_SOCKET, SO_MARK, 0);
    TRY(bind(fd, (void *)&at, sizeof at));
    int other = TRY(socket(AF_INET, SOCK_DGRAM, 0));
    TRY(connect(other, (void *)&at, sizeof at));
    int many = TRY(socket(AF_INET, SOCK_DGRAM, 0));
    on(many, IPPROTO_IP, IP_MULTICAST_TTL, 9);
    on(many, IPPROTO_IP, IP_MULTICAST_LOOP, 0);
    on(many, IPPROTO_IP, IP_PKTINFO, 1);
    group.imr_interface.s_addr = htonl(INADDR_LOOPBACK);
    TRY(setsockopt(many, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group));
    int six = TRY(socket(AF_INET6, SOCK_DGRAM, 0));
    on(six, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    on(six, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 44);
}

static int named_unix(const char *name, int type) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    strcpy(at.sun_path + (*name == '@'), name + (*name == '@'));
    int fd = TRY(socket(AF_UNIX, type, 0));
    socklen_t size = offsetof(struct sockaddr_un, sun_path) + strlen(name) + (*name == '/');
    TRY(bind(fd, (void *)&at, size));
    return fd;
}

static void unix_sockets(void) {
    int pair[2];
    TRY(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    TRY(write(pair[0], "waits", 5));
    TRY(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair));
    TRY(write(pair[0], "one", 3));
    TRY(write(pair[0], "two", 3));
    TRY(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
    TRY(write(pair[1], "packet", 6));
    TRY(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    close(pair[1]); /* its peer is gone */
    TRY(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    on(pair[1], SOL_SOCKET, SO_PASSCRED, 1);
    TRY(listen(named_unix("/data/listens", SOCK_STREAM), 5));
    TRY(listen(named_unix("@abstract", SOCK_SEQPACKET), 6));
    TRY(chmod("/data/listens", 0631));
    named_unix("/data/takes-datagrams", SOCK_DGRAM);
}

static void others(void) {
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK, .nl_groups = 8};
    struct sock_filter all[] = {BPF_STMT(BPF_RET | BPF_K, 0xffff)};
    struct sock_fprog program = {1, all};
    int fd = TRY(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
    TRY(bind(fd, (void *)&kernel, sizeof kernel));
    fd = TRY(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
    on(fd, SOL_SOCKET, SO_RCVLOWAT, 5);
    fd = TRY(socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_LOOP)));
    on(fd, SOL_PACKET, PACKET_AUXDATA, 1);
    fd = TRY(socket(AF_INET, SOCK_DGRAM, 0));
    TRY(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
    on(fd, SOL_SOCKET, SO_LOCK_FILTER, 1);
}

void sockets(void) {
    tcp();
    udp();
    unix_sockets();
    others();
}
