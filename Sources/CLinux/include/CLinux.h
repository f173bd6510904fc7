/* What Glibc's Swift module lacks: epoll, eventfd, signalfd, inotify, accept4, TCP MD5 and GTSM options, capabilities.
 * Wrappers only; no logic lives here. */
#pragma once
#include <malloc.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>
#include <pthread.h>
#include <sched.h>

enum { APUS_EPOLLIN = EPOLLIN, APUS_EPOLLOUT = EPOLLOUT, APUS_EPOLLERR = EPOLLERR, APUS_EPOLLHUP = EPOLLHUP };

static inline int apus_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }
static inline int apus_epoll_ctl(int ep, int op, int fd, uint32_t events, uint64_t data) {
    struct epoll_event e;
    memset(&e, 0, sizeof e);
    e.events = events;
    e.data.u64 = data;
    return epoll_ctl(ep, op, fd, &e);
}
static inline int apus_epoll_add(int ep, int fd, uint32_t events, uint64_t data) { return apus_epoll_ctl(ep, EPOLL_CTL_ADD, fd, events, data); }
static inline int apus_epoll_mod(int ep, int fd, uint32_t events, uint64_t data) { return apus_epoll_ctl(ep, EPOLL_CTL_MOD, fd, events, data); }
static inline int apus_epoll_del(int ep, int fd) { return apus_epoll_ctl(ep, EPOLL_CTL_DEL, fd, 0, 0); }
static inline int apus_epoll_wait(int ep, struct epoll_event *events, int max, int64_t timeout_ns) {
    struct timespec ts = {timeout_ns / 1000000000, timeout_ns % 1000000000};
    return epoll_pwait2(ep, events, max, timeout_ns < 0 ? 0 : &ts, 0);
}
static inline uint32_t apus_epoll_events(const struct epoll_event *e) { return e->events; }
static inline uint64_t apus_epoll_data(const struct epoll_event *e) { return e->data.u64; }

/* A network namespace of its own for the calling thread: for tests against the real kernel. */
static inline int apus_unshare_network(void) { return (int)syscall(SYS_unshare, 0x40000000 /* CLONE_NEWNET */); }

/* Addresses of this host without netlink (netdevice(7)). SIOCGIFCONF fills an array of struct ifreq and returns its size in bytes; the other two take
 * one element of it. */
enum { APUS_IFREQ_SIZE = sizeof(struct ifreq), APUS_IFREQ_ADDRESS = offsetof(struct ifreq, ifr_addr) };
static inline int apus_interface_addresses(int fd, void *buffer, int size) {
    struct ifconf conf = {.ifc_len = size, .ifc_buf = (char *)buffer};
    return ioctl(fd, SIOCGIFCONF, &conf) < 0 ? -1 : conf.ifc_len;
}
/* The netmask of exactly this address, in host order. */
static inline int apus_interface_netmask(int fd, const void *request, uint32_t *mask) {
    struct ifreq r;
    struct sockaddr_in a;
    memcpy(&r, request, sizeof r);
    if (ioctl(fd, SIOCGIFNETMASK, &r) < 0) return -1;
    memcpy(&a, &r.ifr_netmask, sizeof a);
    *mask = ntohl(a.sin_addr.s_addr);
    return 0;
}
static inline int apus_interface_index(int fd, const void *request) {
    struct ifreq r;
    memcpy(&r, request, sizeof r);
    return ioctl(fd, SIOCGIFINDEX, &r) < 0 ? -1 : r.ifr_ifindex;
}

/* Whether the interface that a request names is up (IFF_UP). */
static inline int apus_interface_is_up(int fd, const void *request) {
    struct ifreq r;
    memcpy(&r, request, sizeof r);
    return ioctl(fd, SIOCGIFFLAGS, &r) == 0 && (r.ifr_flags & IFF_UP) != 0;
}

static inline int apus_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

/* Blocks the signals that the loop reads, in this thread and all that it starts; ignores SIGPIPE. */
static inline int apus_signalfd(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    if (pthread_sigmask(SIG_BLOCK, &set, 0)) return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}
static inline int apus_signalfd_read(int fd) {
    struct signalfd_siginfo info;
    return read(fd, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : 0;
}

static inline int apus_inotify(void) { return inotify_init1(IN_CLOEXEC); }
/* Fails where the kernel has dropped the watch by itself. */
static inline void apus_inotify_unwatch(int fd, int watch) { inotify_rm_watch(fd, watch); }
static inline int apus_inotify_watch(int fd, const char *path) {
    return inotify_add_watch(fd, path, IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB);
}

static inline int apus_accept(int fd, struct sockaddr_storage *from, socklen_t *length) {
    /* By number: the declaration needs _GNU_SOURCE, which would make this module's structures differ from those of Glibc's module. */
    return (int)syscall(SYS_accept4, fd, from, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}
static inline int apus_socket(int family) { return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }
static inline int apus_unix_socket(void) { return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); }

/* RFC 2385 with a key for a whole prefix (TCP_MD5SIG_EXT, kernel 4.14). Length 0 removes the key. */
static inline int apus_tcp_md5(int fd, const struct sockaddr_storage *peer, uint8_t prefixlen, const void *key, uint16_t length) {
    struct tcp_md5sig md5;
    memset(&md5, 0, sizeof md5);
    memcpy(&md5.tcpm_addr, peer, sizeof *peer);
    md5.tcpm_flags = TCP_MD5SIG_FLAG_PREFIX;
    md5.tcpm_prefixlen = prefixlen;
    md5.tcpm_keylen = length;
    if (length > TCP_MD5SIG_MAXKEYLEN) { errno = EINVAL; return -1; }
    memcpy(md5.tcpm_key, key, length);
    return setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG_EXT, &md5, sizeof md5);
}

static inline int apus_setsockopt_int(int fd, int level, int name, int value) { return setsockopt(fd, level, name, &value, sizeof value); }
static inline int apus_nodelay(int fd) { return apus_setsockopt_int(fd, IPPROTO_TCP, TCP_NODELAY, 1); }
static inline int apus_quickack(int fd) { return apus_setsockopt_int(fd, IPPROTO_TCP, TCP_QUICKACK, 1); }
static inline int apus_reuseaddr(int fd) { return apus_setsockopt_int(fd, SOL_SOCKET, SO_REUSEADDR, 1); }
static inline int apus_v6only(int fd) { return apus_setsockopt_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1); }
/* The address need not be the host's yet (ip(7), IP_FREEBIND; IPV6_FREEBIND is 78). */
static inline int apus_freebind(int fd, int is_v6) {
    return is_v6 ? apus_setsockopt_int(fd, IPPROTO_IPV6, 78, 1) : apus_setsockopt_int(fd, IPPROTO_IP, IP_FREEBIND, 1);
}
static inline int apus_priority(int fd) { return apus_setsockopt_int(fd, SOL_SOCKET, SO_PRIORITY, 6); }
/* RFC 5082: send with TTL 255 and drop what arrives with less than the minimum. */
static inline int apus_ttl(int fd, int is_v6, int ttl) {
    return is_v6 ? apus_setsockopt_int(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl) : apus_setsockopt_int(fd, IPPROTO_IP, IP_TTL, ttl);
}
static inline int apus_minttl(int fd, int is_v6, int ttl) {
    return is_v6 ? apus_setsockopt_int(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, ttl) : apus_setsockopt_int(fd, IPPROTO_IP, IP_MINTTL, ttl);
}
static inline int apus_socket_error(int fd) {
    int error = 0;
    socklen_t length = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) ? errno : error;
}
static inline ssize_t apus_writev(int fd, const struct iovec *iov, int count) {
    struct msghdr m;
    memset(&m, 0, sizeof m);
    m.msg_iov = (struct iovec *)iov;
    m.msg_iovlen = count;
    return sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Own notifications are dropped in the kernel: messages whose nlmsg_pid is the port of one of our request sockets. */
static inline int apus_drop_own_notifications(int fd, uint32_t first, uint32_t second) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 12), /* nlmsg_pid, loaded as big endian */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __builtin_bswap32(first), 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __builtin_bswap32(second), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
    };
    struct sock_fprog program = {sizeof code / sizeof code[0], code};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

/* UDP for BFD: what a packet's TTL was, and which interface it came by. */
static inline int apus_udp_socket(int family) { return socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }
static inline int apus_receive_ttl(int fd, int is_v6) {
    return is_v6 ? (apus_setsockopt_int(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1) || apus_setsockopt_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1))
                 : (apus_setsockopt_int(fd, IPPROTO_IP, IP_RECVTTL, 1) || apus_setsockopt_int(fd, IPPROTO_IP, IP_PKTINFO, 1));
}
/* struct in6_pktinfo is hidden without _GNU_SOURCE; its layout is RFC 3542's. */
struct apus_in6_pktinfo { struct in6_addr address; unsigned int ifindex; };
/* in_pktinfo likewise: ifindex first. */
static inline ssize_t apus_receive_with_ttl(int fd, void *buffer, size_t size, struct sockaddr_storage *from, int *ttl, unsigned *ifindex) {
    char control[256];
    struct iovec iov = {buffer, size};
    struct msghdr m;
    memset(&m, 0, sizeof m);
    m.msg_name = from;
    m.msg_namelen = sizeof *from;
    m.msg_iov = &iov;
    m.msg_iovlen = 1;
    m.msg_control = control;
    m.msg_controllen = sizeof control;
    ssize_t count = recvmsg(fd, &m, MSG_DONTWAIT);
    if (count < 0) return count;
    *ttl = -1;
    *ifindex = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) memcpy(ttl, CMSG_DATA(c), sizeof *ttl);
        if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT) memcpy(ttl, CMSG_DATA(c), sizeof *ttl);
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) memcpy(ifindex, CMSG_DATA(c), sizeof *ifindex);
        if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
            memcpy(ifindex, CMSG_DATA(c) + sizeof(struct in6_addr), sizeof *ifindex);
    }
    return count;
}

/* A packet socket that passes ARP, RARP and neighbor advertisements (RFC 4861 4.4) of Ethernet interfaces. Protocol 0: it hears nothing yet. */
static inline int apus_guest_socket(void) {
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return fd;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
        BPF_JUMP(BPF_JMP | BPF_K | BPF_JEQ, ETH_P_ARP, 6, 0),
        BPF_JUMP(BPF_JMP | BPF_K | BPF_JEQ, ETH_P_RARP, 5, 0),
        BPF_JUMP(BPF_JMP | BPF_K | BPF_JEQ, ETH_P_IPV6, 0, 5),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 20),
        BPF_JUMP(BPF_JMP | BPF_K | BPF_JEQ, IPPROTO_ICMPV6, 0, 3),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 54),
        BPF_JUMP(BPF_JMP | BPF_K | BPF_JEQ, ND_NEIGHBOR_ADVERT, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 256),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program)) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}
/* On all interfaces, or, since a bound packet socket cannot be unbound, for a protocol on the loopback interface that nobody sends there. */
static inline int apus_guest_listen(int fd, int listens) {
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(listens ? ETH_P_ALL : ETH_P_RARP), .sll_ifindex = listens ? 0 : 1};
    return bind(fd, (struct sockaddr *)&address, sizeof address);
}
/* Bytes of the frame, 0 for one that this host sent, -1 for none. */
static inline ssize_t apus_guest_receive(int fd, void *buffer, size_t size, int *interface) {
    struct sockaddr_ll from;
    socklen_t length = sizeof from;
    ssize_t count = recvfrom(fd, buffer, size, 0, (struct sockaddr *)&from, &length);
    if (count < 0) return -1;
    *interface = from.sll_ifindex;
    return from.sll_pkttype == PACKET_OUTGOING ? 0 : count;
}

/* Raw ICMPv6 that passes router solicitations and advertisements only (RFC 4861, RFC 3542). */
static inline int apus_icmp6_socket(void) {
    int fd = socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMPV6);
    if (fd < 0) return fd;
    struct icmp6_filter filter;
    ICMP6_FILTER_SETBLOCKALL(&filter);
    ICMP6_FILTER_SETPASS(ND_ROUTER_SOLICIT, &filter);
    ICMP6_FILTER_SETPASS(ND_ROUTER_ADVERT, &filter);
    if (setsockopt(fd, IPPROTO_ICMPV6, 1 /* ICMP6_FILTER */, &filter, sizeof filter) || apus_receive_ttl(fd, 1) ||
        apus_setsockopt_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 255) || apus_setsockopt_int(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 255) ||
        apus_setsockopt_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0)) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}
/* All routers (ff02::2) on a link, to hear router solicitations; joining twice is no error. */
static inline void apus_join_all_routers(int fd, unsigned ifindex) {
    struct ipv6_mreq request;
    memset(&request, 0, sizeof request);
    request.ipv6mr_multiaddr.s6_addr[0] = 0xFF;
    request.ipv6mr_multiaddr.s6_addr[1] = 2;
    request.ipv6mr_multiaddr.s6_addr[15] = 2;
    request.ipv6mr_interface = ifindex;
    (void)setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof request);
}

/* RFC 5925: a TCP-AO key (Linux 6.7). The structure is the kernel's struct tcp_ao_add, which older headers lack. */
struct apus_tcp_ao_add {
    struct sockaddr_storage addr;
    char alg_name[64];
    int32_t ifindex;
    uint32_t flags; /* set_current 1, set_rnext 2 */
    uint16_t reserved2;
    uint8_t prefix, sndid, rcvid, maclen, keyflags, keylen;
    uint8_t key[80];
} __attribute__((aligned(8)));
static inline int apus_tcp_ao(int fd, const struct sockaddr_storage *peer, uint8_t prefixlen, const char *algorithm, uint8_t maclen, uint8_t sndid,
                              uint8_t rcvid, const void *key, uint8_t length) {
    struct apus_tcp_ao_add add;
    memset(&add, 0, sizeof add);
    memcpy(&add.addr, peer, sizeof *peer);
    strncpy(add.alg_name, algorithm, sizeof add.alg_name - 1);
    add.prefix = prefixlen;
    add.sndid = sndid;
    add.rcvid = rcvid;
    add.maclen = maclen;
    if (length > sizeof add.key) { errno = EINVAL; return -1; }
    add.keylen = length;
    memcpy(add.key, key, length);
    return setsockopt(fd, IPPROTO_TCP, 38 /* TCP_AO_ADD_KEY */, &add, sizeof add);
}
/* The listener's key of a peer that goes: struct tcp_ao_del. */
static inline int apus_tcp_ao_delete(int fd, const struct sockaddr_storage *peer, uint8_t prefixlen, uint8_t sndid, uint8_t rcvid) {
    struct {
        struct sockaddr_storage addr;
        int32_t ifindex;
        uint32_t flags;
        uint16_t reserved2;
        uint8_t prefix, sndid, rcvid, current_key, rnext, keyflags;
    } __attribute__((aligned(8))) del;
    memset(&del, 0, sizeof del);
    memcpy(&del.addr, peer, sizeof *peer);
    del.prefix = prefixlen;
    del.sndid = sndid;
    del.rcvid = rcvid;
    return setsockopt(fd, IPPROTO_TCP, 39 /* TCP_AO_DEL_KEY */, &del, sizeof del);
}

/* Keeps CAP_NET_BIND_SERVICE where it was held, drops every other capability, and forbids gaining any again. */
static inline int apus_drop_capabilities(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    memset(data, 0, sizeof data);
    if (syscall(SYS_capget, &header, data)) return -1;
    uint32_t keep = data[0].permitted & (1u << CAP_NET_BIND_SERVICE);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return -1;
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (data[0].effective & (1u << CAP_SETPCAP))
        for (int cap = 0; cap <= 63; cap++)
            if (cap != CAP_NET_BIND_SERVICE) prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
    memset(data, 0, sizeof data);
    data[0].permitted = data[0].effective = keep;
    return (int)syscall(SYS_capset, &header, data);
}
/* The effective capability set, low word. */
static inline uint32_t apus_effective_capabilities(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    memset(data, 0, sizeof data);
    return syscall(SYS_capget, &header, data) ? 0 : data[0].effective;
}
static inline int apus_has_net_admin(void) { return (apus_effective_capabilities() >> CAP_NET_ADMIN) & 1; }
/* Large blocks come from mmap whatever was freed before, and go back to the kernel at once: glibc would raise the threshold with every one that is freed. */
static inline void apus_malloc_configure(void) {
    mallopt(M_MMAP_THRESHOLD, 256 * 1024);
    mallopt(M_TRIM_THRESHOLD, 4 * 1024 * 1024);
    // No fast bins: what other threads free of the routing thread's answers would wait there until some larger block is
    // wanted, and then be merged all at once, milliseconds of a turn.
    mallopt(M_MXFAST, 0);
}
static inline int apus_malloc_trim(void) { return malloc_trim(1024 * 1024); }
/* From the linker: the program's constants and code, which nobody writes. */
extern char __executable_start[], etext[];
/* They are unmapped until they are used again; the page cache keeps them. */
static inline int apus_unmap_code(void) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)__executable_start & ~(page - 1);
    return madvise((void *)start, ((uintptr_t)etext - start) & ~(page - 1), MADV_DONTNEED);
}

