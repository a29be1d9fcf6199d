// Room NATEngine: to be filled.
