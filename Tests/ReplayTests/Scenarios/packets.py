"""Bytes of frames and captures, for the scripts that make scenarios.

Standard library only. Every checksum is the full sum over the finished packet (RFC 1071), never an update of
an older one, so that nothing here shares a method with the gateway under test.
"""

import json
import struct

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
ICMP, TCP, UDP = 1, 6, 17
BROADCAST = "ff:ff:ff:ff:ff:ff"


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def address(text):
    return bytes(int(part) for part in text.split("."))


def dotted(octets):
    return ".".join(str(octet) for octet in octets)


def checksum(octets):
    """The Internet checksum of `octets`, RFC 1071."""
    if len(octets) % 2:
        octets += b"\0"
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(to, sender, ether_type, payload):
    return mac(to) + mac(sender) + struct.pack("!H", ether_type) + payload


def ipv4(source, destination, protocol, payload, ttl=64, identification=0, tos=0, dont_fragment=True):
    def header(check):
        return struct.pack(
            "!BBHHHBBH4s4s", 0x45, tos, 20 + len(payload), identification,
            0x4000 if dont_fragment else 0, ttl, protocol, check, address(source), address(destination))
    return header(checksum(header(0))) + payload


def pseudo_header(source, destination, protocol, length):
    return address(source) + address(destination) + struct.pack("!BBH", 0, protocol, length)


def tcp(source, destination, flags, sequence=0, acknowledgement=0, data=b"", mss=None, window=64240):
    """A TCP segment between two `(address, port)` endpoints; `mss` adds that one option."""
    options = b"" if mss is None else struct.pack("!BBH", 2, 4, mss)

    def segment(check):
        return struct.pack(
            "!HHIIBBHHH", source[1], destination[1], sequence, acknowledgement,
            (20 + len(options)) // 4 << 4, flags, window, check, 0) + options + data
    zero = segment(0)
    return segment(checksum(pseudo_header(source[0], destination[0], TCP, len(zero)) + zero))


def udp(source, destination, data):
    """A UDP datagram between two `(address, port)` endpoints. A sum of 0 goes out as 0xFFFF (RFC 768)."""
    def datagram(check):
        return struct.pack("!HHHH", source[1], destination[1], 8 + len(data), check) + data
    zero = datagram(0)
    return datagram(checksum(pseudo_header(source[0], destination[0], UDP, len(zero)) + zero) or 0xFFFF)


def icmp(kind, code, rest_of_header, data):
    """An ICMP message; `rest_of_header` is the second word (identifier and sequence of a query)."""
    def message(check):
        return struct.pack("!BBHI", kind, code, check, rest_of_header) + data
    return message(checksum(message(0)))


def arp(opcode, sender_mac, sender, target_mac, target):
    return struct.pack(
        "!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, opcode, mac(sender_mac), address(sender), mac(target_mac),
        address(target))


def write_capture(path, records):
    """Writes `(nanoseconds, frame)` records: pcap, nanoseconds, Ethernet, little endian, snap length 262144."""
    with open(path, "wb") as capture:
        capture.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1))
        for nanoseconds, frame in records:
            capture.write(struct.pack(
                "<IIII", nanoseconds // 10**9, nanoseconds % 10**9, len(frame), len(frame)) + frame)


def read_capture(path):
    """The `(nanoseconds, frame)` records of a capture as `write_capture` and tcpdump write them here."""
    with open(path, "rb") as capture:
        octets = capture.read()
    magic, link_type = struct.unpack_from("<I16xI", octets)
    assert magic == 0xA1B23C4D and link_type == 1, f"{path}: not pcap with nanoseconds and Ethernet"
    records, offset = [], 24
    while offset < len(octets):
        seconds, nanoseconds, captured, wire = struct.unpack_from("<IIII", octets, offset)
        assert captured == wire, f"{path}: a frame is cut at offset {offset}"
        records.append((seconds * 10**9 + nanoseconds, octets[offset + 16:offset + 16 + captured]))
        offset += 16 + captured
    return records


def write_json(path, value):
    with open(path, "w") as file:
        json.dump(value, file, indent=2)
        file.write("\n")


def interface_counters(received, sent):
    """One side of the stats from its frames: an interface's bytes are frame lengths."""
    return {
        "packetsReceived": len(received), "bytesReceived": sum(len(frame) for _, frame in received),
        "packetsSent": len(sent), "bytesSent": sum(len(frame) for _, frame in sent), "captureDropped": 0,
    }


class Scenario:
    """What is received and what must be sent on each side, written down in the order of time."""

    def __init__(self, start_seconds, gateway_macs, next_hop_macs):
        self.start = start_seconds * 10**9
        self.gateway_macs = gateway_macs  # side: the gateway's own MAC
        self.macs = next_hop_macs         # address of an inside host or the outside router: its MAC
        self.received = {"inside": [], "outside": []}
        self.sent = {"inside": [], "outside": []}

    def stamp(self, milliseconds):
        return self.start + round(milliseconds * 10**6)

    def receive(self, side, milliseconds, frame):
        self.received[side].append((self.stamp(milliseconds), frame))

    def send(self, side, milliseconds, frame):
        self.sent[side].append((self.stamp(milliseconds), frame))

    def receive_packet(self, side, milliseconds, sender_mac, packet):
        self.receive(side, milliseconds, ethernet(self.gateway_macs[side], sender_mac, 0x0800, packet))

    def send_packet(self, side, milliseconds, next_hop_mac, packet):
        self.send(side, milliseconds, ethernet(next_hop_mac, self.gateway_macs[side], 0x0800, packet))

    def write(self, folder):
        for side in ("inside", "outside"):
            stamps = [stamp for stamp, _ in self.received[side]]
            assert stamps == sorted(stamps)
            write_capture(f"{folder}/{side}.pcap", self.received[side])
            write_capture(f"{folder}/expected-{side}.pcap", self.sent[side])

    def interfaces(self):
        return {side: interface_counters(self.received[side], self.sent[side]) for side in ("inside", "outside")}
