/* Sockets of all families, connected, half closed, and with something in them. */
#include "states.h"
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <linux/if_ether.h>

static int fd, peer, listener;
static char text[65536];
static struct sockaddr_in to;

static const struct sockaddr *local(int port) {
    to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return (struct sockaddr *)&to;
}
static void connected(int port) {
    listener = (int)TRY(socket(AF_INET, SOCK_STREAM, 0));
    TRY(bind(listener, local(port), sizeof to));
    TRY(listen(listener, 9));
    fd = (int)TRY(socket(AF_INET, SOCK_STREAM, 0));
    TRY(connect(fd, local(port), sizeof to));
    peer = (int)TRY(accept(listener, NULL, NULL));
}
static const char *goes(int from, int into) {
    TRY(send(from, "hello", 5, MSG_NOSIGNAL));
    struct pollfd has = {into, POLLIN, 0};
    poll(&has, 1, 6000); /* what is half closed waits for a probe of the window, some 3 s */
    SAME(recv(into, text, sizeof text, MSG_DONTWAIT), 5);
    return NULL;
}

static void loopback_make(void) { connected(7100); }
static const char *both(void) { const char *no = goes(fd, peer); return no ? no : goes(peer, fd); }
static void half_make(void) { connected(7101); TRY(shutdown(fd, SHUT_WR)); usleep(50000); }
static const char *half_differs(void) { SAME(recv(peer, text, 9, MSG_DONTWAIT), 0); return goes(peer, fd); }
static void closed_make(void) { connected(7102); TRY(send(peer, "bye", 3, 0)); close(peer); usleep(50000); }
static const char *closed_differs(void) { SAME(recv(fd, text, 9, 0), 3); SAME(recv(fd, text, 9, 0), 0); return NULL; }
static long queued;
static void full_make(void) { connected(7103); fcntl(fd, F_SETFL, O_NONBLOCK); for (long sent; (sent = send(fd, text, sizeof text, 0)) > 0; ) queued += sent; }
static const char *full_differs(void) {
    long got = 0, one;
    struct pollfd has = {peer, POLLIN, 0};
    while (got < queued && poll(&has, 1, 2000) == 1 && (one = recv(peer, text, sizeof text, 0)) > 0) got += one;
    SAME(got, queued);
    return NULL;
}
static void urgent_make(void) { connected(7104); TRY(send(fd, "before", 6, 0)); TRY(send(fd, "!", 1, MSG_OOB)); TRY(send(fd, "after", 5, 0)); usleep(50000); }
static const char *urgent_differs(void) { SAME(recv(peer, text, 1, MSG_OOB | MSG_DONTWAIT), 1); SAME(text[0], '!'); SAME(recv(peer, text, 99, MSG_DONTWAIT), 6); return NULL; }
static void unsent_make(void) { int on = 1; connected(7105); TRY(setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, 4)); TRY(send(fd, "corked", 6, 0)); }
static const char *unsent_differs(void) { int is = 0; socklen_t size = 4; TRY(getsockopt(fd, IPPROTO_TCP, TCP_CORK, &is, &size)); SAME(is, 1); is = 0; TRY(setsockopt(fd, IPPROTO_TCP, TCP_CORK, &is, 4)); usleep(300000); SAME(recv(peer, text, 99, MSG_DONTWAIT), 6); return NULL; }
static void connecting_make(void) { fd = (int)TRY(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)); local(7); to.sin_addr.s_addr = inet_addr("192.0.2.1"); if (connect(fd, (void *)&to, sizeof to) < 0 && errno != EINPROGRESS) TRY(-1); }
static const char *connecting_differs(void) { struct pollfd is = {fd, POLLOUT, 0}; SAME(poll(&is, 1, 0), 0); return NULL; }
static void layered_make(void) { connected(7106); TRY(setsockopt(fd, IPPROTO_TCP, 31 /* TCP_ULP */, "tls", 3)); }
static void signed_make(void) { struct tcp_md5sig how = {.tcpm_keylen = 3, .tcpm_key = "key"}; connected(7107); memcpy(&how.tcpm_addr, &to, sizeof to); TRY(setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &how, sizeof how)); }
static void bound_make(void) { fd = (int)TRY(socket(AF_INET, SOCK_STREAM, 0)); TRY(bind(fd, local(7108), sizeof to)); }
static const char *bound_differs(void) { socklen_t size = sizeof to; memset(&to, 0, sizeof to); TRY(getsockname(fd, (void *)&to, &size)); SAME(ntohs(to.sin_port), 7108); TRY(listen(fd, 1)); return NULL; }
static void reset_make(void) { struct linger now = {1, 0}; connected(7109); TRY(setsockopt(peer, SOL_SOCKET, SO_LINGER, &now, sizeof now)); close(peer); usleep(50000); }
static const char *reset_differs(void) { SAME(recv(fd, text, 9, MSG_DONTWAIT), -1); SAME(errno, ECONNRESET); return NULL; }

static void datagrams_make(void) {
    peer = (int)TRY(socket(AF_INET, SOCK_DGRAM, 0));
    TRY(bind(peer, local(7110), sizeof to));
    fd = (int)TRY(socket(AF_INET, SOCK_DGRAM, 0));
    TRY(connect(fd, local(7110), sizeof to));
}
static void unread_datagrams_make(void) { datagrams_make(); TRY(send(fd, "one", 3, 0)); TRY(send(fd, "two!", 4, 0)); usleep(50000); }
static const char *unread_datagrams_differs(void) { SAME(recv(peer, text, 99, MSG_DONTWAIT), 3); SAME(recv(peer, text, 99, MSG_DONTWAIT), 4); return NULL; }
static const char *datagrams_differs(void) { return goes(fd, peer); }
static void reuse_make(void) { int on = 1; for (int i = 0; i < 2; i++) { fd = (int)TRY(socket(AF_INET, SOCK_STREAM, 0)); TRY(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, 4)); TRY(bind(fd, local(7111), sizeof to)); TRY(listen(fd, 3)); } }
static const char *reuse_differs(void) { int is = 0; socklen_t size = 4; TRY(getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &is, &size)); SAME(is, 1); return NULL; }

static struct sock_filter drop_all[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
static struct sock_fprog drops = {1, drop_all};
static void filtered_make(void) { datagrams_make(); TRY(setsockopt(peer, SOL_SOCKET, SO_ATTACH_FILTER, &drops, sizeof drops)); }
static const char *filtered_differs(void) { TRY(send(fd, "x", 1, 0)); usleep(100000); SAME(recv(peer, text, 9, MSG_DONTWAIT), -1); return NULL; }

static void raw_make(void) { unsigned mask = ~(1u << 8); fd = (int)TRY(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)); TRY(setsockopt(fd, 255 /* SOL_RAW */, 1 /* ICMP_FILTER */, &mask, 4)); }
static const char *raw_differs(void) { unsigned is = 0; socklen_t size = 4; TRY(getsockopt(fd, 255, 1, &is, &size)); SAME(is, ~(1u << 8)); return NULL; }

static void packet_make(void) { fd = (int)TRY(socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL))); TRY(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &drops, sizeof drops)); }
static const char *packet_differs(void) { while (recv(fd, text, sizeof text, MSG_DONTWAIT) > 0) continue; datagrams_make(); int quiet = (int)TRY(socket(AF_INET, SOCK_DGRAM, 0)); TRY(sendto(quiet, "x", 1, 0, local(7110), sizeof to)); usleep(100000); return NULL; }
static char *ring;
static void ring_make(void) {
    struct tpacket_req how = {.tp_block_size = 4096, .tp_block_nr = 4, .tp_frame_size = 2048, .tp_frame_nr = 8};
    fd = (int)TRY(socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)));
    TRY(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &how, sizeof how));
    ring = (char *)TRY(mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
}
static void promiscuous_make(void) { struct packet_mreq all = {.mr_ifindex = (int)if_nametoindex("eth0"), .mr_type = PACKET_MR_PROMISC}; fd = (int)TRY(socket(AF_PACKET, SOCK_RAW, 0)); TRY(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all)); }
static const char *promiscuous_differs(void) { FILE *list = fopen("/proc/net/packet", "r"); while (fgets(text, 999, list)) puts(text); fclose(list); return NULL; }

static void routes_make(void) {
    struct sockaddr_nl groups = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV4_IFADDR};
    fd = (int)TRY(socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE));
    TRY(bind(fd, (void *)&groups, sizeof groups));
}
static int change(unsigned char last) { /* an address on lo, by ioctl: the image has no programs */
    struct ifreq how = {.ifr_name = "lo:1"};
    struct sockaddr_in *address = (void *)&how.ifr_addr;
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(0x7f000100u + last);
    return ioctl((int)TRY(socket(AF_INET, SOCK_DGRAM, 0)), SIOCSIFADDR, &how);
}
static const char *routes_differs(void) { while (recv(fd, text, sizeof text, 0) > 0) continue; TRY(change(7)); usleep(100000); SAME(recv(fd, text, sizeof text, 0) > 0, 1); return NULL; }
static void unread_routes_make(void) { routes_make(); TRY(change(9)); usleep(50000); }
static const char *unread_routes_differs(void) { SAME(recv(fd, text, sizeof text, 0) > 0, 1); return NULL; }
static void uevents_make(void) { struct sockaddr_nl groups = {.nl_family = AF_NETLINK, .nl_groups = 1}; fd = (int)TRY(socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT)); TRY(bind(fd, (void *)&groups, sizeof groups)); }
static const char *uevents_differs(void) { struct sockaddr_nl is; socklen_t size = sizeof is; TRY(getsockname(fd, (void *)&is, &size)); SAME(is.nl_groups, 1); return NULL; }

static struct sockaddr_un name = {.sun_family = AF_UNIX};
static socklen_t named(const char *path, int abstract) { memset(name.sun_path, 0, sizeof name.sun_path); strcpy(name.sun_path + abstract, path); return (socklen_t)(sizeof(sa_family_t) + (unsigned)abstract + strlen(path)); }
static void abstract_make(void) { listener = (int)TRY(socket(AF_UNIX, SOCK_SEQPACKET, 0)); TRY(bind(listener, (void *)&name, named("at/home", 1))); TRY(listen(listener, 5)); }
static const char *abstract_differs(void) { fd = (int)TRY(socket(AF_UNIX, SOCK_SEQPACKET, 0)); SAME(connect(fd, (void *)&name, named("at/home", 1)), 0); peer = (int)TRY(accept(listener, NULL, NULL)); return both(); }
static void name_gone_make(void) { listener = (int)TRY(socket(AF_UNIX, SOCK_STREAM, 0)); TRY(bind(listener, (void *)&name, named("/tmp/socket", 0))); TRY(listen(listener, 5)); fd = (int)TRY(socket(AF_UNIX, SOCK_STREAM, 0)); TRY(connect(fd, (void *)&name, named("/tmp/socket", 0))); peer = (int)TRY(accept(listener, NULL, NULL)); TRY(unlink("/tmp/socket")); }
static const char *name_gone_differs(void) { SAME(access("/tmp/socket", F_OK), -1); return both(); }
static int pair[2];
static void pair_make(int kind) { TRY(socketpair(AF_UNIX, kind, 0, pair)); fd = pair[0]; peer = pair[1]; }
static void shut_make(void) { pair_make(SOCK_STREAM); TRY(send(fd, "left", 4, 0)); TRY(shutdown(fd, SHUT_WR)); }
static const char *shut_differs(void) { SAME(recv(peer, text, 9, MSG_DONTWAIT), 4); SAME(recv(peer, text, 9, MSG_DONTWAIT), 0); return goes(peer, fd); }
static void orphan_make(void) { pair_make(SOCK_STREAM); TRY(send(peer, "left", 4, 0)); close(peer); }
static const char *orphan_differs(void) { SAME(recv(fd, text, 9, MSG_DONTWAIT), 4); SAME(recv(fd, text, 9, MSG_DONTWAIT), 0); return NULL; }
static void packets_make(void) { pair_make(SOCK_SEQPACKET); TRY(send(fd, "one", 3, 0)); TRY(send(fd, "four", 4, 0)); }
static const char *packets_differs(void) { SAME(recv(peer, text, 9, MSG_DONTWAIT), 3); SAME(recv(peer, text, 9, MSG_DONTWAIT), 4); return both(); }
static void who_make(void) { int on = 1; pair_make(SOCK_DGRAM); TRY(setsockopt(peer, SOL_SOCKET, SO_PASSCRED, &on, 4)); TRY(send(fd, "who", 3, 0)); }
static const char *who_differs(void) {
    char control[99];
    struct iovec into = {text, 99};
    struct msghdr message = {.msg_iov = &into, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    SAME(recvmsg(peer, &message, MSG_DONTWAIT), 3);
    struct cmsghdr *first = CMSG_FIRSTHDR(&message);
    if (!first || first->cmsg_type != SCM_CREDENTIALS) return "it does not say who";
    SAME(((struct ucred *)CMSG_DATA(first))->pid, getpid());
    return NULL;
}
static void passed_make(void) {
    union { char room[CMSG_SPACE(4)]; struct cmsghdr head; } control;
    struct iovec from = {"x", 1};
    struct msghdr message = {.msg_iov = &from, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    struct cmsghdr *first = CMSG_FIRSTHDR(&message);
    pair_make(SOCK_STREAM);
    written("/tmp/passed", "passed");
    int file = (int)TRY(open("/tmp/passed", O_RDONLY));
    *first = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(4)};
    memcpy(CMSG_DATA(first), &file, 4);
    TRY(sendmsg(fd, &message, 0));
    close(file);
}
static const char *passed_differs(void) {
    union { char room[CMSG_SPACE(4)]; struct cmsghdr head; } control;
    struct iovec into = {text, 9};
    struct msghdr message = {.msg_iov = &into, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    int file = -1;
    SAME(recvmsg(peer, &message, MSG_DONTWAIT), 1);
    if (!CMSG_FIRSTHDR(&message)) return "no descriptor came";
    memcpy(&file, CMSG_DATA(CMSG_FIRSTHDR(&message)), 4);
    SAME(read(file, text, 9), 6);
    return NULL;
}
static void unix_urgent_make(void) { pair_make(SOCK_STREAM); TRY(send(fd, "a", 1, 0)); TRY(send(fd, "!", 1, MSG_OOB)); }
static const char *unix_urgent_differs(void) { SAME(recv(peer, text, 1, MSG_OOB | MSG_DONTWAIT), 1); SAME(recv(peer, text, 9, MSG_DONTWAIT), 1); return NULL; }
static void asker(void) { char byte; TRY(recv(peer, &byte, 1, 0)); written("/tmp/received", ""); }
static pid_t other;
static void blocked_make(void) { pair_make(SOCK_STREAM); other = child(asker); usleep(50000); }
static const char *blocked_differs(void) { SAME(access("/tmp/received", F_OK), -1); TRY(send(fd, "x", 1, 0)); usleep(300000); SAME(access("/tmp/received", F_OK), 0); return NULL; }
static void async_make(void) { pair_make(SOCK_STREAM); TRY(fcntl(peer, F_SETOWN, getpid())); TRY(fcntl(peer, F_SETFL, O_ASYNC)); signal(SIGIO, SIG_IGN); }
static const char *async_differs(void) { SAME(fcntl(peer, F_GETFL) & O_ASYNC, O_ASYNC); SAME(fcntl(peer, F_GETOWN), getpid()); return NULL; }
static const char *nothing(void) { return NULL; }

static void tun_make(void) { struct ifreq how = {.ifr_flags = 0x1001, .ifr_name = "mine"}; fd = (int)TRY(open("/dev/net/tun", O_RDWR)); TRY(ioctl(fd, 0x400454ca /* TUNSETIFF */, &how)); }

const struct state sockets[] = {
    {"tcp-inside", loopback_make, both},
    {"tcp-half-closed", half_make, half_differs},
    {"tcp-peer-closed", closed_make, closed_differs},
    {"tcp-full", full_make, full_differs},
    {"tcp-urgent", urgent_make, urgent_differs},
    {"tcp-corked", unsent_make, unsent_differs},
    {"tcp-connecting", connecting_make, connecting_differs},
    {"tcp-tls", layered_make, both},
    {"tcp-signed", signed_make, nothing},
    {"tcp-bound", bound_make, bound_differs},
    {"tcp-reset", reset_make, reset_differs},
    {"udp-connected", datagrams_make, datagrams_differs},
    {"udp-unread", unread_datagrams_make, unread_datagrams_differs},
    {"reuse-port", reuse_make, reuse_differs},
    {"udp-filter", filtered_make, filtered_differs},
    {"raw-filter", raw_make, raw_differs},
    {"packet-filter", packet_make, packet_differs},
    {"packet-ring", ring_make, nothing},
    {"promiscuous", promiscuous_make, promiscuous_differs},
    {"netlink", routes_make, routes_differs},
    {"netlink-unread", unread_routes_make, unread_routes_differs},
    {"uevents", uevents_make, uevents_differs},
    {"abstract-socket", abstract_make, abstract_differs},
    {"unix-name-gone", name_gone_make, name_gone_differs},
    {"unix-shut", shut_make, shut_differs},
    {"unix-peer-closed", orphan_make, orphan_differs},
    {"unix-packets", packets_make, packets_differs},
    {"unix-credentials", who_make, who_differs},
    {"unix-passed", passed_make, passed_differs},
    {"unix-urgent", unix_urgent_make, unix_urgent_differs},
    {"unix-blocked", blocked_make, blocked_differs},
    {"unix-async", async_make, async_differs},
    {"tun", tun_make, nothing},
    {0},
};
