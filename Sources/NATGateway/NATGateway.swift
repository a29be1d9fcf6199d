// Room NATGateway: to be filled.
