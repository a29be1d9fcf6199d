// NATEngine: which binding and session a packet belongs to, whether it may pass, and how it is rewritten.
//
// The module joins packets (NATWire) and the table (NATTable). NATGateway has links, routes and fragments.
//
// - ``Translator`` owns a shard of the table and the list of our public addresses. Its `resolve` functions
//   find binding and session, apply the filter, and change nothing. `commit` makes what is missing, within
//   ``TranslatorSettings`` and the limits, counts the packet on its sessions, and returns a ``Rewrite``.
// - ``Hit`` is a live session of a packet, for the fast path. ``Resolution`` is the result of the slow path,
//   with a ``Leg`` for each inside host that sends or receives the packet. ``Rehearsal`` is a trial `commit`.
// - `Packet.rewrite` writes endpoints and TTL and updates checksums. ``ErrorRewrite`` serves ICMP errors.
// - ``DropReason`` names every way to drop a packet. ``Counters`` count packets, drops and events.
