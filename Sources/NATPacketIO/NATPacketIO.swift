// Room NATPacketIO: to be filled.
