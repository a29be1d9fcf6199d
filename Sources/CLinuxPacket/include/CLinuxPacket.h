#ifndef PORTICO_CLINUXPACKET_H
#define PORTICO_CLINUXPACKET_H

/* What Swift cannot import: macros, Linux's structures, prefetch, and what glibc declares for _GNU_SOURCE only.
   No logic. */

#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>
#include <net/if_arp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

/* Asks for the cache line at `address`; never faults, changes nothing. */
static inline void portico_prefetch(const void *address) {
  __builtin_prefetch(address, 0, 3);
}

/* `struct mmsghdr` of recvmmsg(2) and sendmmsg(2). */
struct portico_message {
  struct msghdr header;
  unsigned int length;
};

/* sendmmsg(2). */
int portico_sendmmsg(int socket, struct portico_message *messages, unsigned int count, int flags);

/* unshare(CLONE_NEWNET): the calling thread goes into a new network namespace. */
int portico_unshare_network(void);

/* setns(descriptor, CLONE_NEWNET): the calling thread goes into a network namespace. */
int portico_enter_network(int descriptor);

/* Pins the calling thread to one processor; an error number, 0 for none. */
int portico_pin_thread(int processor);

#endif
