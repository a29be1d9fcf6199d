#!/usr/bin/env bash
# Records a browser's flow through the kernel's masquerade: a name asked for, a page fetched by HTTPS.
#
#   record-browser.sh FOLDER off|on PAGE_BYTES
#
# `off` or `on`: checksum and segmentation offloads of all four interfaces. Writes into FOLDER inside.pcap and
# outside.pcap (what the gateway received), kernel-inside.pcap and kernel-outside.pcap (what it sent; git ignores
# them), portico.yaml with the MAC addresses of this recording, and what is expected: the kernel's own frames
# (off), or those of translate.py, compared with the kernel's (on). Needs root, python3, and Debian's iproute2, nftables,
# ethtool, tcpdump, dnsmasq, nginx, openssl and curl. Everything it makes is removed again.
set -euo pipefail

scripts=$(dirname "$(realpath "$0")")
folder=$(realpath "$1") offload=$2 page_bytes=$3
[[ $offload == on || $offload == off ]]
client=portico-client-$$ gateway=portico-gateway-$$ server=portico-server-$$
scratch=$(mktemp -d)
made_etc_netns=false
servers=() recorders=()

cleanup() {
  local pid
  for pid in "${recorders[@]}" "${servers[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${recorders[@]}" "${servers[@]}"; do wait "$pid" 2>/dev/null || true; done
  for name in "$client" "$gateway" "$server"; do ip netns del "$name" 2>/dev/null || true; done
  rm -rf "$scratch" "/etc/netns/$client"
  if $made_etc_netns; then rmdir --ignore-fail-on-non-empty /etc/netns; fi
}
trap cleanup EXIT

# For the foreground only: what runs in the background is started by `ip netns exec` itself, so that its id is the
# program's own, not that of a shell around it.
within() { local name=$1; shift; ip netns exec "$name" "$@"; }

# Waits up to 10 s for a command to succeed.
until_true() {
  local _
  for _ in $(seq 200); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.05
  done
  echo "gave up waiting for: $*" >&2
  return 1
}

# The three namespaces: client - gateway - server.
for name in "$client" "$gateway" "$server"; do
  ip netns add "$name"
  within "$name" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
  ip -n "$name" link set lo up
done
ip -n "$gateway" link add lan0 type veth peer name eth0 netns "$client"
ip -n "$gateway" link add wan0 type veth peer name eth0 netns "$server"
if [[ $offload == off ]]; then
  for end in "$gateway lan0" "$gateway wan0" "$client eth0" "$server eth0"; do
    read -r name device <<<"$end"
    within "$name" ethtool -K "$device" tx off rx off tso off gso off gro off >/dev/null
  done
fi
ip -n "$gateway" address add 192.168.1.1/24 dev lan0
ip -n "$gateway" address add 203.0.113.5/24 dev wan0
ip -n "$client" address add 192.168.1.2/24 dev eth0
ip -n "$server" address add 203.0.113.1/24 dev eth0
ip -n "$server" address add 142.250.195.100/32 dev lo
ip -n "$server" address add 198.51.100.53/32 dev lo
ip -n "$gateway" link set lan0 up
ip -n "$gateway" link set wan0 up
ip -n "$client" link set eth0 up
ip -n "$server" link set eth0 up
ip -n "$client" route add default via 192.168.1.1
ip -n "$gateway" route add default via 203.0.113.1
within "$gateway" sysctl -qw net.ipv4.ip_forward=1
# Masquerade, and silence about what nothing is bound for, as the gateway under test keeps it.
within "$gateway" nft -f - <<'RULES'
table ip portico {
  chain leaving {
    type nat hook postrouting priority srcnat;
    oifname "wan0" masquerade;
  }
  chain arriving {
    type filter hook input priority filter; policy drop;
  }
}
RULES

# The servers.
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=www.example.test \
  -addext subjectAltName=DNS:www.example.test -keyout "$scratch/key.pem" -out "$scratch/certificate.pem" 2>/dev/null
mkdir "$scratch/pages"
python3 - "$page_bytes" >"$scratch/pages/index.html" <<'PAGE'
import sys
size, text, line = int(sys.argv[1]), "<!doctype html><title>Example</title><pre>\n", 0
while len(text) < size:
    line += 1
    text += f"line {line}: the quick brown fox jumps over the lazy dog\n"
sys.stdout.write(text[:size])
PAGE
cat >"$scratch/nginx.conf" <<CONF
daemon off; master_process off; user root; pid $scratch/nginx.pid; error_log stderr error;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path $scratch/1; proxy_temp_path $scratch/2; fastcgi_temp_path $scratch/3;
  uwsgi_temp_path $scratch/4; scgi_temp_path $scratch/5;
  server {
    listen 142.250.195.100:443 ssl;
    ssl_certificate $scratch/certificate.pem; ssl_certificate_key $scratch/key.pem; ssl_protocols TLSv1.3;
    root $scratch/pages;
  }
}
CONF
ip netns exec "$server" nginx -e stderr -c "$scratch/nginx.conf" &
servers+=($!)
ip netns exec "$server" dnsmasq --keep-in-foreground --conf-file=/dev/null --user=root --pid-file= --no-resolv \
  --no-hosts --local=/example.test/ --host-record=www.example.test,142.250.195.100 \
  --listen-address=198.51.100.53 --bind-interfaces &
servers+=($!)
until_true within "$server" bash -c 'ss -Hltn sport = :443 | grep -q . && ss -Hlun sport = :53 | grep -q .'
[[ -d /etc/netns ]] || made_etc_netns=true
mkdir -p "/etc/netns/$client"
echo "nameserver 198.51.100.53" >"/etc/netns/$client/resolv.conf"

# The recorders: what comes in and what goes out, on either side.
record() {
  ip netns exec "$gateway" tcpdump -i "$1" -Q "$2" -w "$3" -s 0 -B 16384 --time-stamp-precision=nano \
    --immediate-mode -U -Z root 2>"$scratch/$1-$2.log" &
  recorders+=($!)
  until_true grep -q "listening on" "$scratch/$1-$2.log"
}
record lan0 in "$folder/inside.pcap"
record lan0 out "$folder/kernel-inside.pcap"
record wan0 in "$folder/outside.pcap"
record wan0 out "$folder/kernel-outside.pcap"

# The outside router speaks first, so that both gateways know its MAC address before the first packet goes out:
# it asks for 203.0.113.5 by ARP and sends a datagram to a port that nothing is bound to.
within "$server" bash -c 'echo hello >/dev/udp/203.0.113.5/9'
sleep 0.2
within "$client" curl --silent --show-error --http1.1 --cacert "$scratch/certificate.pem" \
  --output "$scratch/fetched" https://www.example.test/
cmp "$scratch/fetched" "$scratch/pages/index.html"
sleep 0.5
kill "${recorders[@]}"
for pid in "${recorders[@]}"; do wait "$pid" || true; done
recorders=()
if [[ $(cat "$scratch"/*.log | grep -c "^0 packets dropped by kernel") != 4 ]]; then
  echo "a recorder lost packets or did not end" >&2
  exit 1
fi

mac_of() { ip -n "$gateway" -json link show dev "$1" | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["address"])'; }
cat >"$folder/portico.yaml" <<YAML
interfaces:
  inside: { name: lan0, address: 192.168.1.1/24, mac: $(mac_of lan0) }
  outside: { name: wan0, address: 203.0.113.5/24, mac: $(mac_of wan0), gateway: 203.0.113.1 }
nat:
  lifetimes: { ports: { udp/53: 120s } }
YAML

if [[ $offload == off ]]; then
  "$scripts/kernel.py" take "$folder"
  "$scripts/translate.py" reports "$folder"
else
  "$scripts/translate.py" write "$folder"
  "$scripts/kernel.py" compare "$folder"
fi
"$scripts/translate.py" check "$folder"
