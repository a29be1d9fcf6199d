#!/usr/bin/env python3
"""How connections end, and what is refused, worked by hand.

As in `reference-example`, each packet that passes is written twice, as it comes and as it must go, with the public
ports as literals; one that is dropped is written once. Times are seconds. `make.py` writes all files of this folder
but the configuration.
"""

import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from packets import (ACK, BROADCAST, FIN, ICMP, PSH, RST, SYN, TCP, UDP, Scenario, arp, ethernet, icmp,  # noqa: E402
                     ipv4, tcp, udp, write_json)

GATEWAY = {"inside": "02:50:00:00:00:01", "outside": "02:50:00:00:00:02"}
ROUTER = "52:54:00:00:00:01"
HOSTS = {f"192.168.1.{host}": f"52:54:00:00:01:{host:02x}" for host in (2, 3, 4, 5)}
HOST_A, HOST_B, HOST_C, HOST_D = HOSTS
INSIDE, PUBLIC = "192.168.1.1", "203.0.113.5"
SERVER, OTHER_SERVER, STRANGER = "142.250.195.100", "151.101.65.69", "198.51.100.7"

scenario = Scenario(1_700_000_000, GATEWAY, HOSTS)


def receive(side, seconds, sender_mac, packet):
    scenario.receive_packet(side, seconds * 1000, sender_mac, packet)


def send(side, seconds, next_hop_mac, packet):
    scenario.send_packet(side, seconds * 1000, next_hop_mac, packet)


def outbound(seconds, flow, flags, data=b""):
    """A segment of the inside host; a SYN has an MSS option of 1460."""
    private, public, remote = flow
    mss = 1460 if flags & SYN else None
    receive("inside", seconds, HOSTS[private[0]], ipv4(
        private[0], remote[0], TCP, tcp(private, remote, flags, 1000, 5000, data, mss), identification=7))
    send("outside", seconds, ROUTER, ipv4(
        public[0], remote[0], TCP, tcp(public, remote, flags, 1000, 5000, data, mss), identification=7, ttl=63))


def inbound(seconds, flow, flags, data=b""):
    """A segment of the remote that passes."""
    private, public, remote = flow
    mss = 1460 if flags & SYN else None
    refused(seconds, public[1], remote, flags, data)
    send("inside", seconds, HOSTS[private[0]], ipv4(
        remote[0], private[0], TCP, tcp(remote, private, flags, 5000, 1000, data, mss), identification=9, ttl=56))


def refused(seconds, public_port, remote, flags, data=b""):
    """A segment of a remote; the packet as it came."""
    mss = 1460 if flags & SYN else None
    packet = ipv4(remote[0], PUBLIC, TCP, tcp(remote, (PUBLIC, public_port), flags, 5000, 1000, data, mss),
                  identification=9, ttl=57)
    receive("outside", seconds, ROUTER, packet)
    return packet


def handshake(seconds, flow):
    outbound(seconds, flow, SYN)
    inbound(seconds + 0.02, flow, SYN | ACK)
    outbound(seconds + 0.03, flow, ACK)


def flow(host, port, public_port, server, server_port):
    return (host, port), (PUBLIC, public_port), (server, server_port)


# 0 s: the outside router is known.
scenario.receive("outside", 0, ethernet(
    BROADCAST, ROUTER, 0x0806, arp(1, ROUTER, "203.0.113.1", "00:00:00:00:00:00", PUBLIC)))
scenario.send("outside", 0, ethernet(
    ROUTER, GATEWAY["outside"], 0x0806, arp(2, GATEWAY["outside"], PUBLIC, ROUTER, "203.0.113.1")))

# The inside closes first. (Its other half goes on at 302 s.)
INSIDE_FIRST = flow(HOST_A, 40001, 50001, SERVER, 443)
handshake(1, INSIDE_FIRST)
outbound(2, INSIDE_FIRST, FIN | ACK)
inbound(2.02, INSIDE_FIRST, ACK)

# The outside closes first: closed at 12 s, so it lives until 252 s.
OUTSIDE_FIRST = flow(HOST_B, 40002, 50002, SERVER, 443)
handshake(10, OUTSIDE_FIRST)
inbound(11, OUTSIDE_FIRST, FIN | ACK)
outbound(11.01, OUTSIDE_FIRST, ACK)
outbound(12, OUTSIDE_FIRST, FIN | ACK)
inbound(12.02, OUTSIDE_FIRST, ACK)

# Both close at once, with the same stamp: closed at 21 s, lives until 261 s.
BOTH = flow(HOST_B, 40003, 50003, SERVER, 80)
handshake(20, BOTH)
outbound(21, BOTH, FIN | ACK)
inbound(21, BOTH, FIN | ACK)
outbound(21.01, BOTH, ACK)
inbound(21.02, BOTH, ACK)

# Reset by the server at 31 s: lives until 271 s, the host's own RST changes nothing.
RESET = flow(HOST_C, 40004, 50004, SERVER, 80)
handshake(30, RESET)
inbound(31, RESET, RST | ACK)
outbound(31.5, RESET, RST)

# A SYN answered by RST at 40.05 s: lives until 280.05 s.
REFUSED_SYN = flow(HOST_A, 40005, 50005, OTHER_SERVER, 81)
outbound(40, REFUSED_SYN, SYN)
inbound(40.05, REFUSED_SYN, RST | ACK)

# Data after RST: established again.
REVIVED = flow(HOST_A, 40006, 50006, OTHER_SERVER, 80)
handshake(50, REVIVED)
inbound(51, REVIVED, RST | ACK)
outbound(52, REVIVED, PSH | ACK, b"still here")

# A closed connection passes packets until its exact due time, 252 s, and none restarts its clock.
outbound(251, OUTSIDE_FIRST, FIN | ACK)
inbound(252, OUTSIDE_FIRST, ACK)
refused(252.000000001, 50002, (SERVER, 443), ACK)  # noBinding

# 272 s: host C gets its own resting port again at once; 50002 and 50003 rest from host B.
AGAIN = flow(HOST_C, 40014, 50004, SERVER, 80)
handshake(272, AGAIN)

# 300 s: for host D 50002, 50003 and 50005 rest, 50001, 50004 and 50006 are in use.
D_FIRST = flow(HOST_D, 40020, 50007, SERVER, 443)
outbound(300, D_FIRST, SYN)

# 302 s: after one FIN the other direction passes data 300 s later. Closed at 303 s.
inbound(302, INSIDE_FIRST, PSH | ACK, b"later")
outbound(302.01, INSIDE_FIRST, ACK)
inbound(303, INSIDE_FIRST, FIN | ACK)
outbound(303.01, INSIDE_FIRST, ACK)


# 310 s: address-dependent filtering of UDP.
def datagram(seconds, remote, public_port, data, ttl=57):
    packet = ipv4(remote[0], PUBLIC, UDP, udp(remote, (PUBLIC, public_port), data), identification=9, ttl=ttl)
    receive("outside", seconds, ROUTER, packet)
    return packet


def datagram_delivered(seconds, remote, data):
    datagram(seconds, remote, 50001, data)
    send("inside", seconds, HOSTS[HOST_A], ipv4(
        remote[0], HOST_A, UDP, udp(remote, (HOST_A, 5000), data), identification=9, ttl=56))


receive("inside", 310, HOSTS[HOST_A], ipv4(
    HOST_A, SERVER, UDP, udp((HOST_A, 5000), (SERVER, 3478), b"question_1"), identification=7))
send("outside", 310, ROUTER, ipv4(
    PUBLIC, SERVER, UDP, udp((PUBLIC, 50001), (SERVER, 3478), b"question_1"), identification=7, ttl=63))
datagram_delivered(310.02, (SERVER, 3478), b"an answer_")
datagram_delivered(310.1, (SERVER, 3479), b"other port")
datagram(310.2, (OTHER_SERVER, 3478), 50001, b"other host")  # filtered

# 311 s: ports that nothing is bound to, for UDP and for TCP.
datagram(311, (SERVER, 3478), 50009, b"nobody")  # noBinding
refused(311.1, 50010, (SERVER, 443), SYN)  # noBinding

# 312 s: no session, and no SYN to make one: from inside, and from outside to a live binding that the filter opens.
receive("inside", 312, HOSTS[HOST_A], ipv4(
    HOST_A, SERVER, TCP, tcp((HOST_A, 40099), (SERVER, 443), ACK, 1000, 5000), identification=7))  # noSession
refused(312.1, 50001, (SERVER, 444), ACK)  # noSession

# 320 s: an unsolicited SYN that the filter refuses; its repetition changes nothing.
unsolicited = refused(320, 50001, (STRANGER, 5555), SYN)  # filtered, answered at 326 s
refused(321, 50001, (STRANGER, 5555), SYN)  # filtered

# 322 s: another one is met by the host's own SYN: no answer, and the connection opens from both sides.
CROSSED = flow(HOST_A, 40001, 50001, OTHER_SERVER, 5556)
refused(322, 50001, (OTHER_SERVER, 5556), SYN)  # filtered
outbound(323, CROSSED, SYN)
inbound(324, CROSSED, SYN)

# 326 s: the answer goes out before the packet of that instant.
send("outside", 326, ROUTER, ipv4(PUBLIC, STRANGER, ICMP, icmp(3, 3, 0, unsolicited), tos=0xC0))
outbound(326, AGAIN, PSH | ACK, b"hello")

# 330 s: TTL 1. The error is 576 bytes at most: 28 of headers, 548 of the packet as it came.
too_far = ipv4(HOST_A, SERVER, UDP, udp((HOST_A, 5001), (SERVER, 33434), bytes(600)), identification=7, ttl=1)
receive("inside", 330, HOSTS[HOST_A], too_far)  # ttlExceeded
send("inside", 330, HOSTS[HOST_A], ipv4(INSIDE, HOST_A, ICMP, icmp(11, 0, 0, too_far[:548]), tos=0xC0))
too_far = datagram(330.1, (SERVER, 3478), 50001, b"tired", ttl=1)  # ttlExceeded
send("outside", 330.1, ROUTER, ipv4(PUBLIC, SERVER, ICMP, icmp(11, 0, 0, too_far), tos=0xC0))


# 340 s: two hosts ping one server with the same identifier, 42; the lowest free ones are 0 and 1.
def ping(seconds, host, identifier):
    receive("inside", seconds, HOSTS[host], ipv4(
        host, SERVER, ICMP, icmp(8, 0, 42 << 16 | 1, b"pingping"), identification=7))
    send("outside", seconds, ROUTER, ipv4(
        PUBLIC, SERVER, ICMP, icmp(8, 0, identifier << 16 | 1, b"pingping"), identification=7, ttl=63))
    receive("outside", seconds + 0.02, ROUTER, ipv4(
        SERVER, PUBLIC, ICMP, icmp(0, 0, identifier << 16 | 1, b"pingping"), identification=9, ttl=57))
    send("inside", seconds + 0.02, HOSTS[host], ipv4(
        SERVER, host, ICMP, icmp(0, 0, 42 << 16 | 1, b"pingping"), identification=9, ttl=56))


ping(340, HOST_A, 0)
ping(340.1, HOST_B, 1)


# 341 s: the gateway itself is asked, from inside at both its addresses, from outside with an identifier in use.
def ping_gateway(seconds, side, mac, asker, wanted, identifier):
    receive(side, seconds, mac, ipv4(
        asker, wanted, ICMP, icmp(8, 0, identifier << 16 | 1, b"gateway?"), identification=8, tos=0x10,
        dont_fragment=False))
    send(side, seconds, mac, ipv4(wanted, asker, ICMP, icmp(0, 0, identifier << 16 | 1, b"gateway?"), tos=0x10))


ping_gateway(341, "inside", HOSTS[HOST_A], HOST_A, INSIDE, 7)
ping_gateway(341.1, "inside", HOSTS[HOST_A], HOST_A, PUBLIC, 7)
ping_gateway(341.2, "outside", ROUTER, SERVER, PUBLIC, 0)

# 372 s: 50002, released at 252 s, has rested 120 s; a nanosecond earlier it has not.
D_EARLY = flow(HOST_D, 40021, 50008, SERVER, 443)
D_IN_TIME = flow(HOST_D, 40022, 50002, SERVER, 443)
outbound(371.999999999, D_EARLY, SYN)
outbound(372, D_IN_TIME, SYN)

# 380 s: the last stamp.
inbound(380, AGAIN, PSH | ACK, b"world")

scenario.write(HERE)


def endpoint(pair):
    return {"address": pair[0], "port": pair[1]}


def session(remote, state, idle, expires, packets_out, bytes_out, packets_in, bytes_in):
    return {
        "remote": endpoint(remote), "state": state, "idleSeconds": idle, "expiresInSeconds": expires,
        "packetsOut": packets_out, "bytesOut": bytes_out, "packetsIn": packets_in, "bytesIn": bytes_in,
        "hairpin": False}


def binding(protocol, private, public_port, age, *sessions):
    return {
        "protocol": protocol, "kind": "dynamic", "private": endpoint(private),
        "public": endpoint((PUBLIC, public_port)), "ageSeconds": age, "sessions": list(sessions)}


# IPv4 total lengths: a SYN with its MSS option is 44, a segment without data 40, an echo of 8 bytes 36.
write_json(HERE / "expected-table.json", {"bindings": [
    binding("icmp", (HOST_A, 42), 0, 40.0, session((SERVER, 0), "active", 39.98, 20.0, 1, 36, 1, 36)),
    binding("icmp", (HOST_B, 42), 1, 39.9, session((SERVER, 0), "active", 39.88, 20.1, 1, 36, 1, 36)),
    binding("tcp", (HOST_A, 40001), 50001, 379.0,
            session((SERVER, 443), "closed", 76.99, 163.0, 5, 204, 4, 169),
            session((OTHER_SERVER, 5556), "established", 56.0, 7384.0, 1, 44, 1, 44)),
    binding("tcp", (HOST_A, 40006), 50006, 330.0,
            session((OTHER_SERVER, 80), "established", 328.0, 7112.0, 3, 134, 2, 84)),
    binding("tcp", (HOST_C, 40014), 50004, 108.0,
            session((SERVER, 80), "established", 0.0, 7440.0, 3, 129, 2, 89)),
    binding("tcp", (HOST_D, 40020), 50007, 80.0, session((SERVER, 443), "syn-sent", 80.0, 160.0, 1, 44, 0, 0)),
    binding("tcp", (HOST_D, 40021), 50008, 8.000000001,
            session((SERVER, 443), "syn-sent", 8.000000001, 231.999999999, 1, 44, 0, 0)),
    binding("tcp", (HOST_D, 40022), 50002, 8.0, session((SERVER, 443), "syn-sent", 8.0, 232.0, 1, 44, 0, 0)),
    binding("udp", (HOST_A, 5000), 50001, 70.0,
            session((SERVER, 3478), "active", 69.98, 230.0, 1, 38, 1, 38),
            session((SERVER, 3479), "active", 69.9, 230.1, 0, 0, 1, 38)),
], "next": None})

write_json(HERE / "expected-stats.json", {
    "uptimeSeconds": 380.0, "bindings": 9, "sessions": 11, **scenario.interfaces(),
    "pool": [
        # 50003 rests until 381 s, 50005 until 400.05 s.
        {"address": PUBLIC, "protocol": "tcp", "ports": 10, "inUse": 6, "resting": 2},
        {"address": PUBLIC, "protocol": "udp", "ports": 10, "inUse": 1, "resting": 0},
        {"address": PUBLIC, "protocol": "icmp", "ports": 65536, "inUse": 2, "resting": 0},
    ],
    "drops": {"noBinding": 3, "noSession": 2, "filtered": 4, "ttlExceeded": 2},
    # Six connections, four later ones, one UDP binding and two of echo; two sessions are a binding's second.
    "events": {
        "bindingsCreated": 13, "sessionsCreated": 15, "sessionsExpired": 4, "hairpins": 0,
        "icmpErrorsSuppressed": 0, "leftToKernel": 0},
})
