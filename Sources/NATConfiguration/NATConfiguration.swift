// Room NATConfiguration: to be filled.
