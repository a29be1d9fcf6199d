import Testing

/// Refusals of what is no YAML, or no mapping of settings.
@Suite struct YAMLRefusalTests {
  @Test(
    "YAML that is no configuration is refused with its place and what would be right", arguments: refusals)
  func refused(_ refusal: Refusal) { refusal.check() }

  static let refusals = [
    Refusal(
      "an empty file",
      file: "",
      "1:1: configuration: found an empty file; expected at least the setting interfaces"),
    Refusal(
      "a file of comments", file: "# nothing",
      "1:1: configuration: found an empty file; expected at least the setting interfaces"),
    Refusal(
      "a document without content", file: "---",
      "2:1: interfaces: found nothing; expected a mapping with the keys inside and outside"),
    Refusal(
      "a list as the file", file: "- a",
      "1:1: configuration: found a list; expected a mapping with keys such as interfaces, routes and nat"),
    Refusal(
      "a word as the file", file: "portico",
      "1:1: configuration: found \"portico\"; expected a mapping with keys such as interfaces, routes and nat"
    ),
    Refusal(
      "two documents",
      after: """
        ---
        workers: 2
        """,
      "5:1: configuration: found a second YAML document; expected one document in the file"),
    Refusal(
      "two documents with problems in the first",
      after: """
        workers: 0
        ---
        workers: 2
        """,
      "4:10: workers: found \"0\"; expected a number from 1 to 64",
      "6:1: configuration: found a second YAML document; expected one document in the file"),
    Refusal(
      "a broken second document",
      after: """
        ---
        a: [
        """,
      "6:1: YAML: found the end of the file; expected a value"),
    Refusal(
      "a repeated key",
      after: """
        workers: 1
        workers: 2
        """,
      "5:1: workers: found the key a second time, after line 4, column 1; expected each key once"),
    Refusal(
      "a key three times",
      after: """
        workers: 1
        workers: 2
        "workers": 3
        """,
      "5:1: workers: found the key a second time, after line 4, column 1; expected each key once",
      "6:1: workers: found the key a second time, after line 4, column 1; expected each key once"),
    Refusal(
      "a repeated section, and problems beside it",
      after: """
        nat: { parity: 3 }
        log: { level: loud }
        nat: { hairpin: no }
        """,
      "4:16: nat.parity: found \"3\"; expected on or off (or true, false, yes, no)",
      "5:15: log.level: found \"loud\"; expected trace, debug, info, notice, warning, error or critical",
      "6:1: nat: found the key a second time, after line 4, column 1; expected each key once"),
    Refusal(
      "repeated keys in several mappings",
      file: """
        interfaces:
          inside: { name: lan0, name: lan1, address: 192.168.1.1/24 }
          outside: { name: wan0, address: 203.0.113.5/24 }
        'workers': 1
        workers: 2
        """,
      "2:25: interfaces.inside.name: found the key a second time, after line 2, column 13; expected each key once",
      "5:1: workers: found the key a second time, after line 4, column 1; expected each key once"),
    Refusal(
      "a repeated lifetime of a port",
      after: """
        nat:
          lifetimes:
            ports: { udp/53: 120s, udp/53: 60s }
        """,
      "6:28: nat.lifetimes.ports.udp/53: found the key a second time, after line 6, column 14; expected each key once"
    ),
    Refusal(
      "a repeated key that is not text",
      after: """
        ? [a]
        : 1
        ? [a]
        : 2
        """,
      "4:3: YAML: found a key that its mapping has more than once; expected each key once"),
    Refusal(
      "an unknown key near a known one", after: "worker: 2",
      "4:1: worker: found an unknown key; expected workers"),
    Refusal(
      "an unknown key in other letters", after: "nat: { portChoice: random, inbound_refresh: true }",
      "4:8: nat.portChoice: found an unknown key; expected port-choice",
      "4:28: nat.inbound_refresh: found an unknown key; expected inbound-refresh"),
    Refusal(
      "an unknown key that belongs elsewhere",
      after: """
        pool: []
        nat: { workers: 2 }
        """,
      "4:1: pool: found an unknown key; expected pool under nat",
      "5:8: nat.workers: found an unknown key; expected workers at the top level"),
    Refusal(
      "a gateway on the inside",
      inside: "{ name: lan0, address: 192.168.1.1/24, gateway: 192.168.1.9 }",
      "2:50: interfaces.inside.gateway: found an unknown key; expected gateway under interfaces.outside"),
    Refusal(
      "an unknown key like no other",
      after: """
        logging: verbose
        log: { colour: red }
        """,
      "4:1: logging: found an unknown key; expected one of interfaces, routes, nat, static, workers, capture, control, metrics, state, record, guard or log",
      "5:8: log.colour: found an unknown key; expected level"),
    Refusal(
      "a merge key", after: "nat: { <<: { parity: true } }",
      "4:8: nat.<<: found an unknown key; expected one of inside-networks, exempt, pool, port-choice, parity, port-rest, pooling, filtering, hairpin, inbound-refresh, lifetimes, limits, exhaustion, evict, unsolicited-syn, tcp, fragments or icmp-errors-per-second"
    ),
    Refusal(
      "an empty key", after: #""": 1"#,
      "4:1: configuration: found an unknown key; expected one of interfaces, routes, nat, static, workers, capture, control, metrics, state, record, guard or log"
    ),
    Refusal(
      "a key that is nothing", after: ": 1",
      "4:1: YAML: found text out of place in a block mapping that begins at 1:1; expected a key at the indentation of its neighbours"
    ),
    Refusal(
      "a key of nothing",
      after: """
        ? 
        : 1
        nat: { : 1 }
        """,
      "6:8: YAML: found text out of place; expected a value"),
    Refusal(
      "a mapping as a key",
      after: """
        ? { a: 1 }
        : 2
        """,
      "4:3: configuration: found a key that is not text; expected the name of a setting"),
    Refusal(
      "a repeated number as a key", after: "nat: { lifetimes: { ports: { 53: 1s, 53: 2s } } }",
      "4:30: nat.lifetimes.ports.53: found \"53\"; expected a protocol and a port from 1 to 65535, such as udp/53 or tcp/80",
      "4:38: nat.lifetimes.ports.53: found the key a second time, after line 4, column 30; expected each key once"
    ),
    Refusal(
      "a tag and an anchor at a key",
      after: """
        !!str workers: 2
        !n log: {}
        &a guard: on
        """,
      "5:1: configuration: found the tag \"!n\"; expected a value without a tag",
      "6:1: configuration: found the anchor &a; expected the value itself, written out wherever it is used"),
    Refusal(
      "text after the end of the document",
      after: """
        ...
        workers: 2
        """,
      "5:1: YAML: found more text after the end of the YAML document; expected one document in the file"),
    Refusal(
      "a bracket too many", after: "routes: ]",
      "4:9: YAML: found text out of place; expected a value"),
    Refusal(
      "a repeated key whose mapping does not end",
      after: """
        workers: 1
        workers: 2
        nat: {
        """,
      "7:1: YAML: found the end of the file; expected a value"),
    Refusal(
      "a list as a key", after: "[a]: 1",
      "4:1: configuration: found a key that is not text; expected the name of a setting"),
    Refusal(
      "an anchor and its alias", after: "nat: { pool: &all [], exempt: *all }",
      "4:14: nat.pool: found the anchor &all; expected the value itself, written out wherever it is used",
      "4:14: nat.exempt: found the anchor &all; expected the value itself, written out wherever it is used"),
    Refusal(
      "an undefined alias", after: "workers: *n",
      "4:10: YAML: found an alias of nothing; expected the value itself"),
    Refusal(
      "a tag",
      after: """
        workers: !!int 2
        nat: !nat {}
        """,
      "4:10: workers: found the tag \"tag:yaml.org,2002:int\"; expected a value without a tag",
      "5:6: nat: found the tag \"!nat\"; expected a value without a tag"),
    Refusal(
      "a mapping for a word", after: "workers: { count: 2 }",
      "4:10: workers: found a mapping; expected a number from 1 to 64"),
    Refusal(
      "a list for a word", after: "guard: [on]",
      "4:8: guard: found a list; expected on or off (or true, false, yes, no)"),
    Refusal(
      "a word for a mapping", after: "nat: on",
      "4:6: nat: found \"on\"; expected a mapping with keys such as inside-networks, exempt and pool"),
    Refusal(
      "a list for a mapping", after: "control: [socket]",
      "4:10: control: found a list; expected a mapping with the keys socket, mode and group"),
    Refusal(
      "a word for a list", after: "routes: 10.9.0.0/24",
      "4:9: routes: found \"10.9.0.0/24\"; expected a list of routes such as { network: 10.9.0.0/24, via: 192.168.1.254 }"
    ),
    Refusal(
      "a mapping for a list", after: "static: { protocol: tcp }",
      "4:9: static: found a mapping; expected a list of mappings such as { protocol: tcp, public: 192.0.2.1:8080, private: 192.168.1.10:80 }"
    ),
    Refusal(
      "nothing for a word",
      after: """
        workers:
        log: { level: }
        """,
      "4:9: workers: found nothing; expected a number from 1 to 64",
      "5:15: log.level: found nothing; expected trace, debug, info, notice, warning, error or critical"),
    Refusal(
      "the word null",
      after: """
        workers: null
        nat: ~
        """,
      "4:10: workers: found \"null\"; expected a number from 1 to 64",
      "5:6: nat: found \"~\"; expected a mapping with keys such as inside-networks, exempt and pool"),
    Refusal(
      "a word for an entry of a list",
      after: """
        static: [web]
        routes: [[]]
        """,
      "4:10: static[0]: found \"web\"; expected a mapping with keys such as protocol, public and private",
      "5:10: routes[0]: found a list; expected a mapping with the keys network and via"),
    Refusal(
      "an unclosed mapping",
      file: """
        interfaces:
          inside: { name: lan0
          outside: { name: wan0 }
        """,
      "3:10: YAML: found text out of place in a flow mapping that begins at 2:11; expected ',' or '}'"),
    Refusal(
      "an unclosed list",
      after: """
        nat:
          exempt: [10.0.0.0/8
        """,
      "6:1: YAML: found the end of the file in a flow sequence that begins at 5:11; expected ',' or ']'"),
    Refusal(
      "a tab",
      after: """
        nat:
        \u{9}parity: true
        """,
      "5:1: YAML: found a tab; expected spaces for the indentation"),
    Refusal(
      "a colon too many", after: "log: level: info",
      "4:11: YAML: found `: ` where no key can stand; expected one `key: value` a line at the right indentation, and quotes around text that holds `: `"
    ),
    Refusal(
      "a wrong indentation",
      after: """
        nat:
          parity: true
         hairpin: true
        """,
      "6:2: YAML: found text out of place in a block mapping that begins at 1:1; expected a key at the indentation of its neighbours"
    ),
    Refusal(
      "an unclosed quote", after: #"log: { level: "info }"#,
      "5:1: YAML: found the end of the file in a quoted scalar that begins at 4:15; expected the closing quote"
    ),
    Refusal(
      "a sign that YAML keeps for itself", after: "log: @info",
      "4:6: YAML: found \"@\" at the start of a value; expected quotes around the value"),
    Refusal(
      "a key without a colon",
      after: """
        workers
        guard: on
        """,
      "5:1: YAML: found no colon after the text at 4:1; expected `key: value`, with a space after the colon"),
    Refusal(
      "a wrong escape",
      after: """
        log: { level: "\\q" }
        """,
      "4:16: YAML: found an escape that YAML does not know in a quoted scalar that begins at 4:15; expected single quotes, or `\\\\` for a backslash"
    ),
    Refusal(
      "a control character", after: "log: { level: in\u{1}fo }",
      "4:17: YAML: found the character U+0001; expected text without control characters"),
    Refusal(
      "a control character after other line breaks and letters",
      file: """
        # é\r
        # \u{2028}😀\u{7}
        """,
      "3:2: YAML: found the character U+0007; expected text without control characters"),
  ]
}
