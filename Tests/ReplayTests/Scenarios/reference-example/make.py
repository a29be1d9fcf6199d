#!/usr/bin/env python3
"""The reference example, worked by hand: two hosts, three TCP connections, one UDP exchange.

Each packet is written twice, as it comes and as it must go, with the public ports as literals; nothing here
knows a rule of translation. `make.py` writes all files of this folder but the configuration.
"""

import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from packets import (ACK, BROADCAST, FIN, PSH, SYN, TCP, UDP, Scenario, arp, ethernet, ipv4, tcp, udp,  # noqa: E402
                     write_json)

GATEWAY = {"inside": "02:50:00:00:00:01", "outside": "02:50:00:00:00:02"}  # the defaults of a replay
PLACEHOLDER = "02:00:00:00:00:02"  # the outside router as long as nothing was heard from it
ROUTER = "52:54:00:00:00:01"
HOSTS = {"192.168.1.2": "52:54:00:00:01:02", "192.168.1.3": "52:54:00:00:01:03"}
PUBLIC = "203.0.113.5"

FIRST = (("192.168.1.2", 1234), (PUBLIC, 50001), ("142.250.195.100", 443))
SECOND = (("192.168.1.3", 2345), (PUBLIC, 50002), ("142.250.195.100", 443))
THIRD = (("192.168.1.2", 1235), (PUBLIC, 50003), ("151.101.65.69", 80))
NAME = (("192.168.1.3", 40000), (PUBLIC, 50001), ("198.51.100.53", 53))  # UDP ports are apart from TCP's

scenario = Scenario(1_700_000_000, GATEWAY, HOSTS)


def padded(frame):
    """A frame from the outside router, whose interface pads to 60 bytes."""
    return frame.ljust(60, b"\0")


def arp_asked(ms, side, asker_mac, asker, wanted, pad=False):
    """A broadcast request on `side` for the gateway's address there, and the gateway's reply."""
    request = ethernet(BROADCAST, asker_mac, 0x0806, arp(1, asker_mac, asker, "00:00:00:00:00:00", wanted))
    scenario.receive(side, ms, padded(request) if pad else request)
    own = GATEWAY[side]
    scenario.send(side, ms, ethernet(asker_mac, own, 0x0806, arp(2, own, wanted, asker_mac, asker)))


def outbound(ms, flow, identification, flags, sequence, acknowledgement, data=b"", mss=None, mss_sent=None,
             router=ROUTER):
    private, public, remote = flow
    scenario.receive_packet("inside", ms, HOSTS[private[0]], ipv4(
        private[0], remote[0], TCP, tcp(private, remote, flags, sequence, acknowledgement, data, mss),
        ttl=64, identification=identification))
    scenario.send_packet("outside", ms, router, ipv4(
        public[0], remote[0], TCP, tcp(public, remote, flags, sequence, acknowledgement, data, mss_sent or mss),
        ttl=63, identification=identification))


def inbound(ms, flow, identification, flags, sequence, acknowledgement, data=b"", mss=None):
    private, public, remote = flow
    scenario.receive("outside", ms, padded(ethernet(GATEWAY["outside"], ROUTER, 0x0800, ipv4(
        remote[0], public[0], TCP, tcp(remote, public, flags, sequence, acknowledgement, data, mss),
        ttl=57, identification=identification))))
    scenario.send_packet("inside", ms, HOSTS[private[0]], ipv4(
        remote[0], private[0], TCP, tcp(remote, private, flags, sequence, acknowledgement, data, mss),
        ttl=56, identification=identification))


# 0 ms: both hosts ask for their gateway. The outside router is not heard of before 20 ms.
arp_asked(0, "inside", HOSTS["192.168.1.2"], "192.168.1.2", "192.168.1.1")
arp_asked(1, "inside", HOSTS["192.168.1.3"], "192.168.1.3", "192.168.1.1")

# 10 ms: the first connection, 192.168.1.2:1234 as 203.0.113.5:50001. It stays established.
outbound(10, FIRST, 0x1001, SYN, 1000, 0, mss=1460, router=PLACEHOLDER)
arp_asked(20, "outside", ROUTER, "203.0.113.1", PUBLIC, pad=True)
inbound(30, FIRST, 0, SYN | ACK, 70000, 1001, mss=1430)
outbound(31, FIRST, 0x1002, ACK, 1001, 70001)
outbound(32, FIRST, 0x1003, PSH | ACK, 1001, 70001, bytes(range(200)))
inbound(45, FIRST, 0x7001, ACK, 70001, 1201)
inbound(46, FIRST, 0x7002, PSH | ACK, 70001, 1201, b"first answer " * 100)
outbound(47, FIRST, 0x1004, ACK, 1201, 71301)

# 100 ms: another host to the same server, 192.168.1.3:2345 as 203.0.113.5:50002. Closed by both sides.
outbound(100, SECOND, 0x2001, SYN, 2000, 0, mss=1460)
inbound(120, SECOND, 0, SYN | ACK, 80000, 2001, mss=1430)
outbound(121, SECOND, 0x2002, ACK, 2001, 80001)
outbound(122, SECOND, 0x2003, PSH | ACK, 2001, 80001, b"second question")
inbound(140, SECOND, 0x7101, PSH | ACK, 80001, 2016, b"second answer")
outbound(141, SECOND, 0x2004, FIN | ACK, 2016, 80014)
inbound(160, SECOND, 0x7102, FIN | ACK, 80014, 2017)
outbound(161, SECOND, 0x2005, ACK, 2017, 80015)

# 200 ms: another process of the first host, 192.168.1.2:1235 as 203.0.113.5:50003. Its SYN offers segments
# of 8960 bytes, lowered to 1460. Only the server closes.
outbound(200, THIRD, 0x1005, SYN, 3000, 0, mss=8960, mss_sent=1460)
inbound(230, THIRD, 0, SYN | ACK, 90000, 3001, mss=1460)
outbound(231, THIRD, 0x1006, ACK, 3001, 90001)
outbound(232, THIRD, 0x1007, PSH | ACK, 3001, 90001, b"GET / HTTP/1.0\r\nHost: example.test\r\n\r\n")
inbound(260, THIRD, 0x7201, PSH | ACK, 90001, 3039, b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n")
inbound(261, THIRD, 0x7202, FIN | ACK, 90045, 3039)
outbound(262, THIRD, 0x1008, ACK, 3039, 90046)

# 300 ms: a name is asked for, 192.168.1.3:40000 as 203.0.113.5:50001 (UDP).
question = bytes.fromhex("abcd01000001000000000000") + b"\x03www\x07example\x04test\0" + bytes.fromhex("00010001")
answer = (bytes.fromhex("abcd81800001000100000000") + question[12:]
          + bytes.fromhex("c00c000100010000003c0004") + bytes([142, 250, 195, 100]))
scenario.receive_packet("inside", 300, HOSTS["192.168.1.3"], ipv4(
    "192.168.1.3", "198.51.100.53", UDP, udp(NAME[0], NAME[2], question), identification=0x2006))
scenario.send_packet("outside", 300, ROUTER, ipv4(
    PUBLIC, "198.51.100.53", UDP, udp(NAME[1], NAME[2], question), ttl=63, identification=0x2006))
scenario.receive("outside", 330, padded(ethernet(GATEWAY["outside"], ROUTER, 0x0800, ipv4(
    "198.51.100.53", PUBLIC, UDP, udp(NAME[2], NAME[1], answer), ttl=58, identification=0x7301,
    dont_fragment=False))))
scenario.send_packet("inside", 330, HOSTS["192.168.1.3"], ipv4(
    "198.51.100.53", "192.168.1.3", UDP, udp(NAME[2], NAME[0], answer), ttl=57, identification=0x7301,
    dont_fragment=False))

# 1000 ms: the first process asks and is answered once more; the last stamp is 1040 ms.
outbound(1000, FIRST, 0x1009, PSH | ACK, 1201, 71301, b"again")
inbound(1040, FIRST, 0x7003, PSH | ACK, 71301, 1206, b"and again")

scenario.write(HERE)


def entry(protocol, flow, age, state, idle, expires, packets_out, bytes_out, packets_in, bytes_in):
    def endpoint(pair):
        return {"address": pair[0], "port": pair[1]}
    return {
        "protocol": protocol, "kind": "dynamic", "private": endpoint(flow[0]), "public": endpoint(flow[1]),
        "ageSeconds": age,
        "sessions": [{
            "remote": endpoint(flow[2]), "state": state, "idleSeconds": idle, "expiresInSeconds": expires,
            "packetsOut": packets_out, "bytesOut": bytes_out, "packetsIn": packets_in, "bytesIn": bytes_in,
            "hairpin": False}],
    }


# IPv4 total lengths: a SYN with its MSS option is 44, a segment without data 40, a UDP datagram 28 and its data.
write_json(HERE / "expected-table.json", {"bindings": [
    # out: SYN 44, ACK 40, 240, ACK 40, 45. in: SYN-ACK 44, ACK 40, 1340, 49.
    entry("tcp", FIRST, 1.03, "established", 0.0, 7440.0, 5, 409, 4, 1473),
    # out: SYN 44, ACK 40, FIN 40, ACK 40, request 40 and data 38. in: SYN-ACK 44, 40 and data 44, FIN 40.
    entry("tcp", THIRD, 0.84, "half-closed", 0.778, 7439.222, 4, 202, 3, 168),
    # out: SYN 44, ACK 40, 55, FIN 40, ACK 40. in: SYN-ACK 44, 53, FIN 40. The second FIN came at 160 ms.
    entry("tcp", SECOND, 0.94, "closed", 0.879, 239.12, 5, 219, 3, 137),
    # The question of 34 bytes restarts the clock of 120 s, the answer of 50 bytes does not.
    entry("udp", NAME, 0.74, "active", 0.71, 119.26, 1, 62, 1, 78),
], "next": None})

write_json(HERE / "expected-stats.json", {
    "uptimeSeconds": 1.04, "bindings": 4, "sessions": 4, **scenario.interfaces(),
    "pool": [
        {"address": PUBLIC, "protocol": "tcp", "ports": 10000, "inUse": 3, "resting": 0},
        {"address": PUBLIC, "protocol": "udp", "ports": 10000, "inUse": 1, "resting": 0},
        {"address": PUBLIC, "protocol": "icmp", "ports": 65536, "inUse": 0, "resting": 0},
    ],
    "drops": {},
    "events": {
        "bindingsCreated": 4, "sessionsCreated": 4, "sessionsExpired": 0, "hairpins": 0,
        "icmpErrorsSuppressed": 0, "leftToKernel": 0},
})
