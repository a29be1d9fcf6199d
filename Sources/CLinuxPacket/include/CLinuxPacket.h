#ifndef PORTICO_CLINUXPACKET_H
#define PORTICO_CLINUXPACKET_H

/* What Swift cannot import: macros, ioctls, prefetch. No logic. */

/* Asks for the cache line at `address`; never faults, changes nothing. */
static inline void portico_prefetch(const void *address) {
  __builtin_prefetch(address, 0, 3);
}

#endif
