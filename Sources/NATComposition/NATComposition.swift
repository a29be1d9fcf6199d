// Room NATComposition: to be filled.
