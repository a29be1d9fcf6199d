// NATMemory: the data structures of the table. They contain no NAT logic.
//
// One thread writes a structure. Any thread may read it at any time, and no reader waits. Memory is mapped
// once at full size and nothing moves, so a reader with an old number reads an old or a new record of the
// same type.
//
// - ``MappedMemory``: zeroed memory of a fixed size. It gives out ``AtomicWords``, which other threads may
//   read, and ``OwnedArray``, which only one thread uses. Both check bounds; both are plain handles.
// - ``HashIndex`` finds the number of a record by its key, which ``KeyHash`` hashes.
// - ``Epochs`` tells when a record that was removed may be used again.
// - ``TimerWheel`` returns records in the order of their due times.
// - ``Ring`` is a queue from one thread to another.
// - ``RandomSource`` draws numbers that nobody can predict without its key.
