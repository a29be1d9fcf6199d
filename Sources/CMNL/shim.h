#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
