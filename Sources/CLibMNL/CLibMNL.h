/* libmnl and the rtnetlink structures; macros that Swift cannot see as inline functions. Wrappers only. */
#pragma once
#include <errno.h>
#include <libmnl/libmnl.h>
/* Before the kernel's headers, which then leave its structures to it. */
#include <netinet/in.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

static inline struct nlmsghdr *apus_mnl_begin(void *buffer, uint16_t type, uint16_t flags, uint32_t seq) {
    struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
    h->nlmsg_type = type;
    h->nlmsg_flags = NLM_F_REQUEST | flags;
    h->nlmsg_seq = seq;
    return h;
}
static inline struct rtmsg *apus_mnl_rtmsg(struct nlmsghdr *h) { return (struct rtmsg *)mnl_nlmsg_put_extra_header(h, sizeof(struct rtmsg)); }
static inline struct ifaddrmsg *apus_mnl_ifaddrmsg(struct nlmsghdr *h) { return (struct ifaddrmsg *)mnl_nlmsg_put_extra_header(h, sizeof(struct ifaddrmsg)); }
static inline struct ifinfomsg *apus_mnl_ifinfomsg(struct nlmsghdr *h) { return (struct ifinfomsg *)mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg)); }
static inline struct ndmsg *apus_mnl_ndmsg(struct nlmsghdr *h) { return (struct ndmsg *)mnl_nlmsg_put_extra_header(h, sizeof(struct ndmsg)); }
static inline struct nhmsg *apus_mnl_nhmsg(struct nlmsghdr *h) { return (struct nhmsg *)mnl_nlmsg_put_extra_header(h, sizeof(struct nhmsg)); }
static inline void apus_mnl_rtgenmsg(struct nlmsghdr *h, uint8_t family) {
    struct rtgenmsg *g = (struct rtgenmsg *)mnl_nlmsg_put_extra_header(h, sizeof(struct rtgenmsg));
    g->rtgen_family = family;
}
static inline void apus_mnl_nfgenmsg(struct nlmsghdr *h, uint8_t family) {
    struct nfgenmsg *g = (struct nfgenmsg *)mnl_nlmsg_put_extra_header(h, sizeof(struct nfgenmsg));
    g->nfgen_family = family;
    g->version = NFNETLINK_V0;
}
/* RTA_MULTIPATH: opens a nested rtnexthop; close with apus_mnl_nexthop_end. */
static inline struct rtnexthop *apus_mnl_nexthop_begin(struct nlmsghdr *h) {
    struct rtnexthop *n = (struct rtnexthop *)mnl_nlmsg_get_payload_tail(h);
    memset(n, 0, sizeof *n);
    h->nlmsg_len += RTNH_ALIGN(sizeof *n);
    return n;
}
static inline void apus_mnl_nexthop_end(struct nlmsghdr *h, struct rtnexthop *n) {
    n->rtnh_len = (unsigned short)((char *)mnl_nlmsg_get_payload_tail(h) - (char *)n);
}

enum {
    APUS_RTM_NEWROUTE = RTM_NEWROUTE, APUS_RTM_DELROUTE = RTM_DELROUTE, APUS_RTM_GETROUTE = RTM_GETROUTE,
    APUS_RTM_NEWLINK = RTM_NEWLINK, APUS_RTM_DELLINK = RTM_DELLINK, APUS_RTM_GETLINK = RTM_GETLINK,
    APUS_RTM_NEWADDR = RTM_NEWADDR, APUS_RTM_DELADDR = RTM_DELADDR, APUS_RTM_GETADDR = RTM_GETADDR,
    APUS_RTM_NEWNEXTHOP = RTM_NEWNEXTHOP, APUS_RTM_DELNEXTHOP = RTM_DELNEXTHOP, APUS_RTM_GETNEXTHOP = RTM_GETNEXTHOP,
    APUS_RTM_NEWNEIGH = RTM_NEWNEIGH, APUS_RTM_DELNEIGH = RTM_DELNEIGH, APUS_RTM_GETNEIGH = RTM_GETNEIGH,
    /* <linux/if_tunnel.h> cannot stand beside <netinet/in.h>. */
    APUS_IFLA_IPTUN_LOCAL = 2, APUS_IFLA_IPTUN_REMOTE = 3,
    APUS_NLM_ACK = NLM_F_ACK, APUS_NLM_CREATE = NLM_F_CREATE, APUS_NLM_EXCL = NLM_F_EXCL, APUS_NLM_REPLACE = NLM_F_REPLACE,
    APUS_NLM_DUMP = NLM_F_DUMP, APUS_NLM_DUMP_INTR = NLM_F_DUMP_INTR,
    APUS_NETFILTER = NETLINK_NETFILTER, APUS_NFGENMSG_SIZE = sizeof(struct nfgenmsg),
    APUS_CT_GET = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET, APUS_CT_DELETE = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE,
    APUS_NFT_GETCHAIN = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN,
    APUS_NLMSG_ERROR = NLMSG_ERROR, APUS_NLMSG_DONE = NLMSG_DONE,
};

/* iptables-legacy: the filter table, by socket options. ip6_tables has structures of the same layout but for the entry. */
static inline int apus_legacy_socket(int is6) { return socket(is6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW); }
static inline int apus_legacy_info(int fd, int is6, struct ipt_getinfo *info) {
    socklen_t length = sizeof *info;
    memset(info, 0, sizeof *info);
    strcpy(info->name, "filter");
    return getsockopt(fd, is6 ? IPPROTO_IPV6 : IPPROTO_IP, is6 ? IP6T_SO_GET_INFO : IPT_SO_GET_INFO, info, &length);
}
static inline unsigned apus_legacy_forward(const struct ipt_getinfo *info) { return info->underflow[NF_INET_FORWARD]; }
/* The buffer gets struct ipt_get_entries; it must hold apus_legacy_head + size bytes. */
enum { apus_legacy_head = sizeof(struct ipt_get_entries), apus_legacy_drop = -NF_DROP - 1 };
static inline int apus_legacy_entries(int fd, int is6, unsigned size, void *buffer) {
    struct ipt_get_entries *request = (struct ipt_get_entries *)buffer;
    socklen_t length = (socklen_t)(apus_legacy_head + size);
    memset(request, 0, apus_legacy_head);
    strcpy(request->name, "filter");
    request->size = size;
    return getsockopt(fd, is6 ? IPPROTO_IPV6 : IPPROTO_IP, is6 ? IP6T_SO_GET_ENTRIES : IPT_SO_GET_ENTRIES, buffer, &length);
}
static inline unsigned apus_legacy_entry_size(int is6) { return is6 ? sizeof(struct ip6t_entry) : sizeof(struct ipt_entry); }
static inline unsigned apus_legacy_target(const void *entry, int is6) {
    return is6 ? ((const struct ip6t_entry *)entry)->target_offset : ((const struct ipt_entry *)entry)->target_offset;
}
static inline unsigned apus_legacy_target_size(void) { return sizeof(struct xt_standard_target); }
static inline int apus_legacy_verdict(const void *target) { return ((const struct xt_standard_target *)target)->verdict; }
