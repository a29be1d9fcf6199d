#!/usr/bin/env python3
"""The kernel's masquerade as the judge of a recording by record-browser.sh.

    kernel.py take FOLDER      the kernel's frames become expected-inside.pcap and expected-outside.pcap, each with
                               the stamp of the frame that caused it (by order within its flow)
    kernel.py compare FOLDER   addresses, ports, hop counts and content of what is expected there are the kernel's
                               (for recordings with offloads: its sums are partial, its frames may be cut otherwise)

Both first verify that the inputs are in a possible order: no answer before its question, no acknowledgement before
its data. Only frames are matched here; nothing is translated.
"""

import collections
import pathlib
import struct
import sys

import packets
from packets import ACK, FIN, SYN, TCP, UDP, dotted
from translate import OTHER, merged

IPV4, ARP, REQUEST = 0x0800, 0x0806, 1


def fields(frame):
    """EtherType, and of IPv4: protocol, source and destination endpoints, header and payload without trailer."""
    ether_type = struct.unpack_from("!H", frame, 12)[0]
    if ether_type != IPV4:
        return ether_type, None, None, None, b"", frame[14:]
    length = struct.unpack_from("!H", frame, 16)[0]
    header, payload = frame[14:34], frame[34:14 + length]
    assert header[0] == 0x45 and header[9] in (TCP, UDP)
    source_port, destination_port = struct.unpack_from("!HH", payload)
    return (ether_type, header[9], (dotted(header[12:16]), source_port), (dotted(header[16:20]), destination_port),
            header, payload)


def flow(side, frame, came_in):
    """The same key for a frame that came in and what went out for it: ports are preserved by masquerade."""
    ether_type, protocol, source, destination, _, body = fields(frame)
    if ether_type == ARP:
        return side, "arp", body[24:28] if came_in else body[14:18]
    going_out = (side == "inside") == came_in
    remote, host = (destination, source) if going_out else (source, destination)
    return OTHER[side] if came_in else side, protocol, remote, host[1]


def is_arp(frame, opcode):
    return fields(frame)[0] == ARP and struct.unpack_from("!H", frame, 20)[0] == opcode


def verify_order(folder):
    ends, questions = {}, set()  # how far each direction of a connection has come; DNS questions by port and id
    for side, _, frame in merged(folder):
        ether_type, protocol, source, destination, _, payload = fields(frame)
        if ether_type != IPV4:
            continue
        port = source[1] if side == "inside" else destination[1]
        if protocol == TCP:
            sequence, acknowledgement, offset, flags = struct.unpack_from("!IIBB", payload, 4)
            end = sequence + len(payload) - (offset >> 4) * 4 + bool(flags & SYN) + bool(flags & FIN)
            ends[side, port] = end & 0xFFFFFFFF
            if flags & ACK:
                behind = (ends[OTHER[side], port] - acknowledgement) & 0xFFFFFFFF
                assert behind < 2**31, f"{folder}: data acknowledged before it came"
        elif destination[1] == 53:
            questions.add((port, payload[8:10]))
        elif source[1] == 53:
            assert (port, payload[8:10]) in questions, f"{folder}: an answer before its question"


def kernel_frames(folder):
    """What the kernel sent, by flow; its own ARP requests are left out, a replay asks nobody."""
    by_flow = collections.defaultdict(collections.deque)
    for side in OTHER:
        for _, frame in packets.read_capture(folder / f"kernel-{side}.pcap"):
            if is_arp(frame, REQUEST):
                print(f"left out: an ARP request of the kernel on the {side}")
            else:
                by_flow[flow(side, frame, False)].append(frame)
    return by_flow


def take(folder):
    by_flow = kernel_frames(folder)
    expected = {side: [] for side in OTHER}
    for side, stamp, frame in merged(folder):
        key = flow(side, frame, True)
        if by_flow[key]:
            expected[key[0]].append((stamp, by_flow[key].popleft()))
        else:
            print(f"the kernel sent nothing for {key}")
    assert not any(by_flow.values()), "the kernel sent what no input explains"
    for side in OTHER:
        packets.write_capture(folder / f"expected-{side}.pcap", expected[side])


def content(frames):
    """What one flow carries, however its stream is cut: Ethernet header, endpoints, hop counts, bytes in place."""
    result = {"headers": set(), "bytes": {}, "datagrams": []}
    for frame in frames:
        _, protocol, source, destination, header, payload = fields(frame)
        if protocol != TCP:
            sum_at = 40 if protocol == UDP else None
            result["datagrams"].append(frame if sum_at is None else frame[:sum_at] + frame[sum_at + 2:])
            continue
        sequence, offset, flags = struct.unpack_from("!I4xBB", payload, 4)
        data = payload[(offset >> 4) * 4:]
        result["headers"].add((frame[:14], source, destination, header[1], header[6:9]))
        for at, byte in enumerate(data):
            assert result["bytes"].setdefault((sequence + at) & 0xFFFFFFFF, byte) == byte
        if flags & (SYN | FIN):
            result["bytes"][sequence + len(data), flags & (SYN | FIN)] = payload[20:(offset >> 4) * 4]
    return result


def compare(folder):
    by_flow = {key: list(frames) for key, frames in kernel_frames(folder).items()}
    expected = collections.defaultdict(list)
    for side in OTHER:
        for _, frame in packets.read_capture(folder / f"expected-{side}.pcap"):
            expected[flow(side, frame, False)].append(frame)
    assert by_flow.keys() == expected.keys()
    for key, frames in by_flow.items():
        assert content(frames) == content(expected[key]), f"{folder}: the kernel differs in {key}"
        largest = max(map(len, frames)), max(map(len, expected[key]))
        print(f"{key}: {len(frames)} frames of the kernel, {len(expected[key])} expected; largest {largest}")


def main():
    actions = {"take": take, "compare": compare}
    if len(sys.argv) != 3 or sys.argv[1] not in actions:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[2])
    verify_order(folder)
    actions[sys.argv[1]](folder)


if __name__ == "__main__":
    main()
