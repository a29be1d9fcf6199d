#define _GNU_SOURCE
#include "CLinuxPacket.h"

#include <linux/bpf.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

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

int portico_load_arrival(int index) {
  const struct bpf_insn program[] = {
    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = index},
    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = BPF_F_INGRESS},
    {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_clone_redirect},
    {.code = BPF_JMP | BPF_EXIT},
  };
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.prog_type = BPF_PROG_TYPE_SCHED_CLS;
  attributes.insns = (uintptr_t)program;
  attributes.insn_cnt = sizeof program / sizeof program[0];
  attributes.license = (uintptr_t) "";
  return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes);
}

int portico_run_arrival(int program, const void *frame, unsigned int length) {
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.test.prog_fd = (uint32_t)program;
  attributes.test.data_in = (uintptr_t)frame;
  attributes.test.data_size_in = length;
  attributes.test.repeat = 1;
  return (int)syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attributes, sizeof attributes);
}
