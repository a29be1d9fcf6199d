#define _GNU_SOURCE
#include "CLinuxPacket.h"

#include <pthread.h>
#include <sched.h>
#include <stddef.h>

_Static_assert(sizeof(struct portico_message) == sizeof(struct mmsghdr), "the size of mmsghdr");
_Static_assert(offsetof(struct portico_message, length) == offsetof(struct mmsghdr, msg_len), "msg_len");

int portico_sendmmsg(int socket, struct portico_message *messages, unsigned int count, int flags) {
  return sendmmsg(socket, (struct mmsghdr *)messages, count, flags);
}

int portico_unshare_network(void) { return unshare(CLONE_NEWNET); }

int portico_enter_network(int descriptor) { return setns(descriptor, CLONE_NEWNET); }

int portico_pin_thread(int processor) {
  cpu_set_t processors;
  CPU_ZERO(&processors);
  CPU_SET(processor, &processors);
  return pthread_setaffinity_np(pthread_self(), sizeof(processors), &processors);
}
