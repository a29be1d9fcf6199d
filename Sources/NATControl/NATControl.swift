// Room NATControl: to be filled.
