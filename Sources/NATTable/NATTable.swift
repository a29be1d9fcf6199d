// Room NATTable: to be filled.
