// NATTable: bindings, sessions, and the ports that they use.
//
// A ``TranslationTable`` has a ``Shard`` for each worker. Only the worker changes it. A ``TableReader`` reads
// all shards from any thread without waiting. The table does not read packets: NATEngine does.
//
// - ``BindingStore``: a record for each public endpoint of the pool, found by its number, ``BindingIndex``.
//   ``SessionStore``: a record for each session. `byPrivate` finds the bindings of a private endpoint;
//   `bySession` finds the session of a binding and a remote endpoint.
// - A new binding: `Shard.choosePublic` picks an endpoint from `PortMap`, or one that the host has in
//   hold-down from `HeldPorts`. `insertBinding` and `insertSession` make the records.
// - TCP: ``TCPTracker`` is the state machine, ``ConnectionWindows`` checks sequence numbers.
// - Time: each session has a ``LifetimeClass``. `Shard.advance(to:)` ends due entries and hold-downs.
// - Static mappings: ``PortForward``, ``OneToOneMapping``.
// - Changes at run time: ``Sweep``, ``PoolSweep`` and ``LifetimeSweep`` walk the table in short steps.
// - Subscribers read ``TableEvent``s from a ring. ``TableSnapshot`` is a saved table.
