// NATMemory: what the table is made of. It knows no NAT.
//
// One thread writes a structure, any thread may read it at any time, and no reader waits. Memory is mapped once at full
// size and nothing moves, so a reader that holds an old number reads an old or a new record of the same type.
//
// - ``MappedMemory``: zeroed memory of a fixed size. It gives out ``AtomicWords``, which other threads may read, and
//   ``OwnedArray``, which only one thread uses. Both check bounds; both are plain handles.
// - ``HashIndex`` leads from a key, hashed by ``KeyHash``, to the number of a record.
// - ``Epochs`` tells when a record that was removed may be used again.
// - ``TimerWheel`` gives records in the order in which they come due.
// - ``Ring`` is a queue from one thread to another.
// - ``RandomSource`` draws numbers that nobody can predict without its key.
