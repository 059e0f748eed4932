/* listening ADDRESS SOURCE: hears what is sent to groups, each by a socket that is in one of them in its own way. `leave`
 * lets it go out of the group in the way in which it came. ADDRESS: its card's; SOURCE: the only one that one of them hears. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static int made[5];

static int bound(int family, int port) {
    int fd = socket(family, SOCK_DGRAM, 0), off = 0;
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, 29, &off, sizeof off); /* IPV6_MULTICAST_ALL */
    else setsockopt(fd, IPPROTO_IP, IP_MULTICAST_ALL, &off, sizeof off);
    if (bind(fd, family == AF_INET6 ? (void *)&six : (void *)&four, family == AF_INET6 ? sizeof six : sizeof four)) perror("bind");
    return fd;
}

static int change(int way, int leave, const char *address, const char *source) {
    struct in_addr card = {inet_addr(address)}, group = {inet_addr("239.1.2.3")}, only = {inet_addr("232.1.2.3")};
    struct ip_mreq by_address = {group, card}, by_route = {group, {0}};
    struct ip_mreqn by_number = {group, {0}, (int)if_nametoindex("eth0")};
    struct ipv6_mreq six = {.ipv6mr_interface = if_nametoindex("eth0")};
    struct ip_mreq_source from = {only, card, {inet_addr("192.0.2.7")}};
    int what = leave ? IP_DROP_MEMBERSHIP : IP_ADD_MEMBERSHIP;
    inet_pton(AF_INET6, "ff02::1:2:3", &six.ipv6mr_multiaddr);
    switch (way) {
    case 0: return setsockopt(made[0], IPPROTO_IP, what, &by_address, sizeof by_address);
    case 1: return setsockopt(made[1], IPPROTO_IP, what, &by_route, sizeof by_route);
    case 2: return setsockopt(made[2], IPPROTO_IP, what, &by_number, sizeof by_number);
    case 3: return setsockopt(made[3], IPPROTO_IPV6, leave ? IPV6_LEAVE_GROUP : IPV6_JOIN_GROUP, &six, sizeof six);
    }
    what = leave ? IP_DROP_SOURCE_MEMBERSHIP : IP_ADD_SOURCE_MEMBERSHIP;
    if (setsockopt(made[4], IPPROTO_IP, what, &from, sizeof from)) return -1;
    from.imr_sourceaddr.s_addr = inet_addr(source);
    return setsockopt(made[4], IPPROTO_IP, what, &from, sizeof from);
}

int main(int argc, char **argv) {
    struct pollfd ready[5];
    if (argc < 3) return 2;
    for (int i = 0; i < 5; i++) {
        made[i] = bound(i == 3 ? AF_INET6 : AF_INET, 5300 + i);
        ready[i] = (struct pollfd){made[i], POLLIN, 0};
        if (change(i, 0, argv[1], argv[2])) perror("join");
    }
    puts("ready");
    fflush(stdout);
    for (;;) {
        poll(ready, 5, -1);
        for (int i = 0; i < 5; i++) {
            char text[64] = "";
            struct sockaddr_in6 from;
            socklen_t size = sizeof from;
            if (recvfrom(made[i], text, sizeof text - 1, MSG_DONTWAIT, (void *)&from, &size) < 0) continue;
            const char *answer = strcmp(text, "leave") ? "heard" : change(i, 1, argv[1], argv[2]) ? strerror(errno) : "left";
            sendto(made[i], answer, strlen(answer), 0, (void *)&from, size);
        }
    }
}
