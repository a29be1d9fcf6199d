#!/usr/bin/env python3
"""A plain reference of the gateway for the scenarios: slow, and written from the behaviours alone.

    translate.py check FOLDER...   compare what a folder expects with what this reference makes of its inputs
    translate.py write FOLDER...   write what it makes of them: two captures, expected-table.json, expected-stats.json
    translate.py reports FOLDER... write the two JSON files alone

It knows what the scenarios need and refuses the rest: dynamic bindings with one pool address, address-dependent
filtering, TCP, UDP and ICMP echo, ARP, TTL, `mss-clamp: auto`. No fragments, statics, hairpin or limits.
Every output frame is built anew, with full checksums; nothing is updated in place.
"""

import ipaddress
import json
import pathlib
import re
import struct
import sys

import packets
from packets import ACK, FIN, RST, SYN, ICMP, TCP, UDP, address, checksum, dotted, pseudo_header

SECOND = 10**9
NAMES = {ICMP: "icmp", TCP: "tcp", UDP: "udp"}
OTHER = {"inside": "outside", "outside": "inside"}
PLACEHOLDERS = {"inside": "02:00:00:00:00:01", "outside": "02:00:00:00:00:02"}
DEFAULT_MACS = {"inside": "02:50:00:00:00:01", "outside": "02:50:00:00:00:02"}


# Configuration: block mappings, with flow collections as values. That is all the scenarios write.

def parse_flow(text):
    tokens = re.findall(r"[\[\]{},]|(?:[^\[\]{},:]|:(?! ))+|:", text)
    tokens = [token.strip() for token in tokens if token.strip()]

    def value():
        token = tokens.pop(0)
        if token == "{":
            mapping = {}
            while tokens[0] != "}":
                key = tokens.pop(0)
                assert tokens.pop(0) == ":", text
                mapping[key] = value()
                if tokens[0] == ",":
                    tokens.pop(0)
            tokens.pop(0)
            return mapping
        if token == "[":
            items = []
            while tokens[0] != "]":
                items.append(value())
                if tokens[0] == ",":
                    tokens.pop(0)
            tokens.pop(0)
            return items
        return token
    parsed = value()
    assert not tokens, text
    return parsed


def read_configuration(path):
    root = {}
    levels = [(-1, root)]
    for line in path.read_text().splitlines():
        line = line.split(" #")[0].rstrip()
        if not line or line.startswith("#"):
            continue
        indent = len(line) - len(line.lstrip())
        key, _, rest = line.strip().partition(":")
        while levels[-1][0] >= indent:
            levels.pop()
        if rest.strip():
            levels[-1][1][key] = parse_flow(rest.strip())
        else:
            child = levels[-1][1].setdefault(key, {})
            levels.append((indent, child))
    return root


class Settings:
    def __init__(self, path):
        file = read_configuration(path)
        interfaces, nat = file.pop("interfaces"), file.pop("nat", {})
        assert not file, f"{path}: the reference does not know {list(file)}"
        self.own, self.network, self.macs = {}, {}, {}
        for side in OTHER:
            interface = ipaddress.ip_interface(interfaces[side]["address"])
            self.own[side], self.network[side] = str(interface.ip), interface.network
            self.macs[side] = interfaces[side].get("mac", DEFAULT_MACS[side])
        self.router = interfaces["outside"].get("gateway")
        pool = nat.pop("pool", [{"address": self.own["outside"], "ports": "1024-65535"}])
        assert len(pool) == 1
        self.public = pool[0]["address"]
        first, last = pool[0]["ports"].split("-")
        self.ports = range(int(first), int(last) + 1)
        self.sequential = nat.pop("port-choice", "preserve") == "sequential"
        self.parity = nat.pop("parity", "true") == "true"
        lifetimes = {"udp": "300s", "tcp-established": "7440s", "tcp-transitory": "240s", "icmp": "60s"}
        lifetimes.update(nat.pop("lifetimes", {}))
        self.by_port = {key: self.nanoseconds(text) for key, text in lifetimes.pop("ports", {}).items()}
        self.lifetimes = {key: self.nanoseconds(text) for key, text in lifetimes.items()}
        self.rest = 120 * SECOND
        self.largest_mss = 1460
        self.answers_syn = nat.pop("unsolicited-syn", "answer") == "answer"
        assert not nat, f"{path}: the reference does not know {list(nat)}"

    @staticmethod
    def nanoseconds(text):
        assert text.endswith("s")
        return int(text[:-1]) * SECOND


class Packet:
    """An IPv4 packet taken apart. `port` and `remote_port` of an echo message are its identifier and 0."""

    def __init__(self, octets):
        self.octets = octets
        assert octets[0] == 0x45, "the reference knows no IPv4 options"
        assert checksum(octets[:20]) == 0, "bad IPv4 checksum in an input"
        (self.tos, self.length, self.identification, self.fragment, self.ttl,
         self.protocol) = struct.unpack_from("!xBHHHBB", octets)
        assert self.length == len(octets) and not self.fragment & 0x3FFF
        self.source, self.destination = dotted(octets[12:16]), dotted(octets[16:20])
        self.payload = octets[20:]
        if self.protocol in (TCP, UDP):
            self.source_port, self.destination_port = struct.unpack_from("!HH", self.payload)
            self.flags = self.payload[13] if self.protocol == TCP else 0
        else:
            assert self.protocol == ICMP
            self.kind = self.payload[0]
            assert self.kind in (0, 8), "the reference knows echo alone"
            self.source_port = self.destination_port = struct.unpack_from("!H", self.payload, 4)[0]
            self.flags = 0

    def translated(self, largest_mss, source=None, source_port=None, destination=None, destination_port=None):
        """The packet with new endpoints and one hop less, all checksums as full sums."""
        source, destination = source or self.source, destination or self.destination
        payload = bytearray(self.payload)
        if self.protocol == ICMP:
            port = source_port if source_port is not None else destination_port
            struct.pack_into("!H", payload, 4, port)
            struct.pack_into("!H", payload, 2, 0)
            struct.pack_into("!H", payload, 2, checksum(bytes(payload)))
        else:
            if source_port is not None:
                struct.pack_into("!H", payload, 0, source_port)
            if destination_port is not None:
                struct.pack_into("!H", payload, 2, destination_port)
            if self.protocol == TCP and self.flags & SYN:
                clamp(payload, largest_mss)
            at = 16 if self.protocol == TCP else 6
            if self.protocol == TCP or payload[6:8] != b"\0\0":
                struct.pack_into("!H", payload, at, 0)
                total = checksum(
                    pseudo_header(source, destination, self.protocol, len(payload)) + bytes(payload))
                struct.pack_into("!H", payload, at, 0xFFFF if self.protocol == UDP and total == 0 else total)
        header = bytearray(self.octets[:20])
        header[8] -= 1
        header[10:12] = b"\0\0"
        header[12:20] = address(source) + address(destination)
        header[10:12] = struct.pack("!H", checksum(bytes(header)))
        return bytes(header + payload)


def clamp(segment, largest):
    at, end = 20, (segment[12] >> 4) * 4
    while at < end and segment[at] != 0:
        if segment[at] == 1:
            at += 1
            continue
        if segment[at] == 2:
            if struct.unpack_from("!H", segment, at + 2)[0] > largest:
                struct.pack_into("!H", segment, at + 2, largest)
            return
        at += segment[at + 1]


class Session:
    def __init__(self, remote, now, outbound, tcp):
        self.remote, self.state = remote, "syn-sent" if tcp else "active"
        self.by_inside = False            # has the inside host used it?
        self.opened_outbound = outbound
        self.fins, self.syns = set(), set()
        self.was_established = False
        self.last = now
        self.restarted = now              # the clock of its lifetime
        self.lifetime = 0
        self.counts = {True: [0, 0], False: [0, 0]}  # outbound?: packets, bytes


class Binding:
    def __init__(self, protocol, private, public_port, now):
        self.protocol, self.private, self.public_port, self.made = protocol, private, public_port, now
        self.sessions = {}


class Gateway:
    def __init__(self, settings):
        self.settings = settings
        self.neighbours = {"inside": {}, "outside": {}}
        self.bindings = {}                # (protocol, private) -> Binding
        self.public = {}                  # (protocol, public port) -> Binding
        self.resting = {}                 # (protocol, public port) -> (free at, host)
        self.waiting = {}                 # (public port, remote) -> (due at, the SYN as it came)
        self.drops = {}
        self.created = self.sessions_created = self.expired = 0
        self.received = {"inside": [], "outside": []}
        self.sent = {"inside": [], "outside": []}
        self.first = None
        self.now = 0

    # Time

    def fall_due(self, now):
        """Ends what is over before `now`: at its exact due time a session lives, a resting port is free."""
        while True:
            ends = [(session.restarted + session.lifetime, binding, session)
                    for binding in self.bindings.values() for session in binding.sessions.values()
                    if session.restarted + session.lifetime < now]
            if not ends:
                break
            at, binding, session = min(ends, key=lambda end: end[0])
            self.end_session(binding, session, at)
        for key, (due, syn) in sorted(self.waiting.items(), key=lambda item: item[1][0]):
            if due <= now:
                self.now = due
                del self.waiting[key]
                self.send_error("outside", 3, 3, syn)
        self.now = now

    def end_session(self, binding, session, at):
        del binding.sessions[session.remote]
        self.expired += 1
        if not any(other.by_inside for other in binding.sessions.values()):
            self.expired += len(binding.sessions)
            binding.sessions = {}
            del self.bindings[binding.protocol, binding.private]
            del self.public[binding.protocol, binding.public_port]
            self.resting[binding.protocol, binding.public_port] = (at + self.settings.rest, binding.private[0])

    # Frames

    def drop(self, reason):
        self.drops[reason] = self.drops.get(reason, 0) + 1

    def send(self, side, mac, ether_type, payload):
        self.sent[side].append((self.now, packets.ethernet(mac, self.settings.macs[side], ether_type, payload)))

    def send_packet(self, side, packet):
        destination = dotted(packet[16:20])
        on_link = ipaddress.ip_address(destination) in self.settings.network[side]
        assert on_link or side == "outside"
        hop = destination if on_link else self.settings.router
        self.send(side, self.neighbours[side].get(hop, PLACEHOLDERS[side]), 0x0800, packet)

    def send_error(self, side, kind, code, packet):
        quote = packet.octets[:576 - 28]
        self.send_packet(side, packets.ipv4(
            self.settings.own[side], packet.source, ICMP, packets.icmp(kind, code, 0, quote), tos=0xC0))

    def receive(self, side, stamp, frame):
        now = max(stamp, self.now)
        self.first = now if self.first is None else self.first
        self.fall_due(now)
        self.received[side].append((now, frame))
        ether_type = struct.unpack_from("!H", frame, 12)[0]
        if ether_type == 0x0806:
            self.receive_arp(side, frame)
            return
        assert ether_type == 0x0800, f"the reference does not know ether type {ether_type:#06x}"
        if frame[:6] != packets.mac(self.settings.macs[side]):
            self.drop("notForUs")
            return
        length = struct.unpack_from("!H", frame, 16)[0]
        packet = Packet(frame[14:14 + length])
        source_inside = ipaddress.ip_address(packet.source) in self.settings.network["inside"]
        assert source_inside == (side == "inside")
        hop = packet.source
        if ipaddress.ip_address(hop) not in self.settings.network[side]:
            hop = self.settings.router
        self.neighbours[side][hop] = frame[6:12].hex(":")
        self.receive_packet(side, packet)

    def receive_arp(self, side, frame):
        opcode, sender_mac, sender, target = struct.unpack_from("!H6s4s6x4s", frame, 20)
        sender, target = dotted(sender), dotted(target)
        if sender == "0.0.0.0" or sender == self.settings.own[side]:
            return
        self.neighbours[side][sender] = sender_mac.hex(":")
        mine = self.settings.own["inside"] if side == "inside" else self.settings.public
        if opcode == 1 and target == mine:
            own = self.settings.macs[side]
            self.send(side, sender_mac.hex(":"), 0x0806, packets.arp(2, own, target, sender_mac.hex(":"), sender))

    def receive_packet(self, side, packet):
        settings = self.settings
        echo = packet.protocol == ICMP and packet.kind == 8
        if packet.destination == settings.public or (
                packet.destination == settings.own["inside"] and side == "inside"):
            if echo:
                assert checksum(packet.payload) == 0
                rest, = struct.unpack_from("!I", packet.payload, 4)
                self.send_packet(side, packets.ipv4(
                    packet.destination, packet.source, ICMP, packets.icmp(0, 0, rest, packet.payload[8:]),
                    tos=packet.tos))
                return
            assert side == "outside", "the reference knows no hairpin and no service of the gateway"
        if side == "inside":
            assert packet.protocol != ICMP or echo
            self.outbound(packet)
        else:
            self.inbound(packet)

    # Sessions

    def outbound(self, packet):
        key = (packet.protocol, (packet.source, packet.source_port))
        remote = (packet.destination, 0 if packet.protocol == ICMP else packet.destination_port)
        binding = self.bindings.get(key)
        session = binding and binding.sessions.get(remote)
        if session is None and packet.protocol == TCP and packet.flags & (SYN | ACK | RST) != SYN:
            self.drop("noSession")
            return
        if packet.ttl <= 1:
            self.drop("ttlExceeded")
            self.send_error("inside", 11, 0, packet)
            return
        if binding is None:
            port = self.choose_port(packet.protocol, *key[1])
            binding = Binding(packet.protocol, key[1], port, self.now)
            self.bindings[key] = self.public[packet.protocol, port] = binding
            self.resting.pop((packet.protocol, port), None)
            self.created += 1
        if session is None:
            session = self.make_session(binding, remote, packet, True)
        if not packet.flags & RST:
            session.by_inside = True
        if packet.protocol == TCP and packet.flags & SYN:
            self.waiting.pop((binding.public_port, remote), None)
        self.count(session, packet, True)
        self.send_packet("outside", packet.translated(
            self.settings.largest_mss, source=self.settings.public, source_port=binding.public_port))

    def inbound(self, packet):
        binding = self.public.get((packet.protocol, packet.destination_port))
        if packet.destination != self.settings.public or binding is None:
            self.drop("noBinding")
            return
        remote = (packet.source, 0 if packet.protocol == ICMP else packet.source_port)
        session = binding.sessions.get(remote)
        if session is None:
            allowed = any(known.by_inside and known.remote[0] == remote[0] for known in binding.sessions.values())
            opens = packet.protocol == UDP or packet.protocol == TCP and packet.flags & (SYN | ACK | RST) == SYN
            if not allowed:
                self.drop("filtered")
                if packet.protocol == TCP and opens and self.settings.answers_syn:
                    self.waiting.setdefault((binding.public_port, remote), (self.now + 6 * SECOND, packet))
                return
            if not opens:
                self.drop("noSession")
                return
        if packet.ttl <= 1:
            self.drop("ttlExceeded")
            self.send_error("outside", 11, 0, packet)
            return
        if session is None:
            session = self.make_session(binding, remote, packet, False)
        self.count(session, packet, False)
        self.send_packet("inside", packet.translated(
            self.settings.largest_mss, destination=binding.private[0], destination_port=binding.private[1]))

    def choose_port(self, protocol, host, port):
        def free(candidate):
            free_at, last_host = self.resting.get((protocol, candidate), (0, None))
            return (protocol, candidate) not in self.public and (free_at <= self.now or last_host == host)
        if protocol == ICMP:
            steps = [range(65536)]
        else:
            same_class = [other for other in self.settings.ports if (other < 1024) == (port < 1024)]
            steps = [same_class, self.settings.ports]
            if self.settings.parity:
                steps.insert(0, [other for other in same_class if other % 2 == port % 2])
        if not self.settings.sequential:
            assert (protocol == ICMP or port in self.settings.ports) and free(port), "a random port would be needed"
            return port
        return next(candidate for step in steps for candidate in step if free(candidate))

    def make_session(self, binding, remote, packet, outbound):
        session = binding.sessions[remote] = Session(remote, self.now, outbound, packet.protocol == TCP)
        self.sessions_created += 1
        lifetimes = self.settings.lifetimes
        session.established = lifetimes["tcp-established"]
        if packet.protocol == TCP:
            session.established = self.settings.by_port.get(
                f"tcp/{packet.destination_port}", session.established)
            session.lifetime = lifetimes["tcp-transitory"]
        elif packet.protocol == UDP:
            session.lifetime = self.settings.by_port.get(f"udp/{packet.destination_port}", lifetimes["udp"])
        else:
            session.lifetime = lifetimes["icmp"]
        session.new = True
        return session

    def count(self, session, packet, outbound):
        session.last = self.now
        session.counts[outbound][0] += 1
        session.counts[outbound][1] += packet.length
        if packet.protocol != TCP:
            if outbound:
                session.restarted = self.now
        elif not session.new:
            self.advance(session, packet.flags, outbound)
        session.new = False

    def advance(self, session, flags, outbound):
        transitory = self.settings.lifetimes["tcp-transitory"]

        def enter(state, lifetime):
            session.state, session.restarted, session.lifetime = state, self.now, lifetime
        if session.state == "syn-sent":
            if flags & RST:
                enter("reset", transitory)
            elif flags & SYN and outbound != session.opened_outbound:
                enter("established", session.established)
        elif session.state in ("established", "half-closed"):
            if flags & RST:
                session.was_established, session.syns = True, set()
                enter("reset", transitory)
            elif flags & FIN and session.fins == {not outbound}:
                session.syns = set()
                enter("closed", transitory)
            else:
                if flags & FIN:
                    session.fins = {outbound}
                enter("half-closed" if session.fins else "established", session.established)
        elif flags & RST:
            pass
        elif flags & SYN:
            session.syns.add(outbound)
            if len(session.syns) == 2:
                session.fins = set()
                self.expired += 1
                self.sessions_created += 1
                enter("established", session.established)
        elif session.state == "reset" and session.was_established:
            session.fins = set()
            enter("established", session.established)

    # Reports

    def table(self):
        def seconds(nanoseconds):
            return nanoseconds / SECOND

        def order(binding):
            return (("icmp", "tcp", "udp").index(NAMES[binding.protocol]), address(binding.private[0]),
                    binding.private[1], binding.public_port)
        rows = []
        for binding in sorted(self.bindings.values(), key=order):
            sessions = sorted(binding.sessions.values(), key=lambda one: (address(one.remote[0]), one.remote[1]))
            rows.append({
                "protocol": NAMES[binding.protocol], "kind": "dynamic",
                "private": {"address": binding.private[0], "port": binding.private[1]},
                "public": {"address": self.settings.public, "port": binding.public_port},
                "ageSeconds": seconds(self.now - binding.made),
                "sessions": [{
                    "remote": {"address": one.remote[0], "port": one.remote[1]}, "state": one.state,
                    "idleSeconds": seconds(self.now - one.last),
                    "expiresInSeconds": seconds(one.restarted + one.lifetime - self.now),
                    "packetsOut": one.counts[True][0], "bytesOut": one.counts[True][1],
                    "packetsIn": one.counts[False][0], "bytesIn": one.counts[False][1], "hairpin": False,
                } for one in sessions]})
        return {"bindings": rows, "next": None}

    def stats(self):
        def row(protocol):
            ports = 65536 if protocol == ICMP else len(self.settings.ports)
            return {
                "address": self.settings.public, "protocol": NAMES[protocol], "ports": ports,
                "inUse": sum(key[0] == protocol for key in self.public),
                "resting": sum(key[0] == protocol and free_at > self.now
                               for key, (free_at, _) in self.resting.items())}
        return {
            "uptimeSeconds": (self.now - self.first) / SECOND, "bindings": len(self.bindings),
            "sessions": sum(len(binding.sessions) for binding in self.bindings.values()),
            **{side: packets.interface_counters(self.received[side], self.sent[side]) for side in OTHER},
            "pool": [row(protocol) for protocol in (TCP, UDP, ICMP)],
            "drops": self.drops,
            "events": {
                "bindingsCreated": self.created, "sessionsCreated": self.sessions_created,
                "sessionsExpired": self.expired, "hairpins": 0, "icmpErrorsSuppressed": 0,
                "leftToKernel": 0}}


def merged(folder):
    """Both inputs: each in its own order, the head with the smaller stamp first, inside first among equals."""
    heads = {side: packets.read_capture(folder / f"{side}.pcap")[::-1] if (folder / f"{side}.pcap").exists() else []
             for side in OTHER}
    while heads["inside"] or heads["outside"]:
        side = min((side for side in OTHER if heads[side]), key=lambda side: heads[side][-1][0])
        yield (side, *heads[side].pop())


def replay(folder):
    gateway = Gateway(Settings(folder / "portico.yaml"))
    for side, stamp, frame in merged(folder):
        gateway.receive(side, stamp, frame)
    return gateway


def differences(folder, gateway):
    for side in OTHER:
        expected = packets.read_capture(folder / f"expected-{side}.pcap")
        if len(expected) != len(gateway.sent[side]):
            yield f"expected-{side}.pcap: {len(expected)} frames, the reference sends {len(gateway.sent[side])}"
        for number, (one, other) in enumerate(zip(expected, gateway.sent[side]), 1):
            if one != other:
                yield f"expected-{side}.pcap, frame {number}:\n  {one[0]} {one[1].hex()}\n  {other[0]} {other[1].hex()}"
    for name, value in (("table", gateway.table()), ("stats", gateway.stats())):
        expected = json.loads((folder / f"expected-{name}.json").read_text())
        if expected != value:
            yield f"expected-{name}.json: the reference says\n{json.dumps(value, indent=2)}"


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in ("check", "write", "reports"):
        sys.exit(__doc__)
    failed = False
    for name in sys.argv[2:]:
        folder = pathlib.Path(name)
        gateway = replay(folder)
        if sys.argv[1] == "write":
            for side in OTHER:
                packets.write_capture(folder / f"expected-{side}.pcap", gateway.sent[side])
        if sys.argv[1] in ("write", "reports"):
            packets.write_json(folder / "expected-table.json", gateway.table())
            packets.write_json(folder / "expected-stats.json", gateway.stats())
        else:
            found = list(differences(folder, gateway))
            failed = failed or bool(found)
            print(f"{folder.name}: {'the same' if not found else chr(10).join(found)}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
