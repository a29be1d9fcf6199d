// NATTable: bindings, sessions, and the ports that they use.
//
// A ``TranslationTable`` has a ``Shard`` for each worker. The worker alone changes it; a ``TableReader`` walks all shards
// from any thread without waiting. The table knows no packets: NATEngine asks it and tells it.
//
// - ``BindingStore``: a record for each public endpoint of the pool, found by its number, ``BindingIndex``.
//   ``SessionStore``: a record for each session. `byPrivate` leads from a private endpoint to its bindings, `bySession` from
//   a binding and a remote endpoint to the session.
// - A new binding: `Shard.choosePublic` picks an endpoint by the policy from `PortMap`, or one that the host has in
//   hold-down from `HeldPorts`; `insertBinding` and `insertSession` make the records.
// - TCP: ``TCPTracker`` is the state machine, ``ConnectionWindows`` checks sequence numbers.
// - Time: each session has a ``LifetimeClass``. `Shard.advance(to:)` ends what is due, and frees ports whose hold-down is
//   over.
// - The operator's bindings: ``PortForward``, ``OneToOneMapping``.
// - Changes at run time: ``Sweep``, ``PoolSweep`` and ``LifetimeSweep`` walk in short steps between packets.
// - Subscribers read ``TableEvent``s from a ring. ``TableSnapshot`` holds a table outside of the process.
