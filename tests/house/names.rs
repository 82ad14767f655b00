//! The words that only the reference site and the recordings know, and where nobody may say them.
//!
//! The list is drawn from the project's own copies, so that a new recording brings its words along.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::crates::CRATES;
use super::{files, listed_commands, printed, read, root, without_tests};

/// Fields whose text is what somebody called something.
const NAMING: [&str; 14] = [
    "name",
    "hostname",
    "fqdn",
    "domain",
    "system_id",
    "fabric",
    "space",
    "plane",
    "interface",
    "vlan_name",
    "token_key",
    "consumer_key",
    "primary_rack",
    "secondary_rack",
];

/// Words of the site or of the recordings that are other people's as well.
const ALLOWED: [(&str, &str); 13] = [
    ("admin", "MAAS's word for a right, and the lab's user"),
    ("alice", "anybody, in examples"),
    ("bad", "English; a recording asks for such a network"),
    ("eth0", "the kernel's first network interface"),
    (
        "json",
        "the format; a recording says it of itself in a name",
    ),
    ("lab", "the crate; a recording has a fabric refused"),
    ("maas_name", "a setting of every MAAS"),
    ("oob", "out of band, on any site"),
    ("pxe", "how machines boot, on any site"),
    ("storage", "English"),
    ("200", "an HTTP status; a recording makes such a VLAN"),
    ("201", "an HTTP status; a recording makes such a VLAN"),
    ("202", "an HTTP status; a recording makes such a VLAN"),
];

/// Words that recordings give to objects only to try a name, a tag or a VID: English, the kernel's and the protocol's.
const TRIED: [&str; 39] = [
    "all",
    "api",
    "bare",
    "both",
    "br2",
    "dhcp",
    "discovered",
    "empty",
    "eth1",
    "example.com",
    "far",
    "five",
    "fresh",
    "global",
    "half",
    "left",
    "lonely",
    "mine",
    "moved",
    "nobody",
    "node",
    "none",
    "nowhere",
    "once",
    "other",
    "plane",
    "prod",
    "public",
    "range",
    "renamed",
    "second",
    "six",
    "under_score",
    "204",
    "300",
    "301",
    "120",
    "4000",
    "114",
];

/// Numbers written as words, from three on: below that they say nothing.
const NUMERALS: [&str; 10] = [
    "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
];

/// What is looked for.
#[derive(Debug, Default)]
struct Words {
    names: BTreeSet<String>,
    addresses: BTreeSet<IpAddr>,
    /// First address and prefix length.
    networks: BTreeSet<(IpAddr, u8)>,
    macs: BTreeSet<String>,
    /// VIDs and places in a network.
    numbers: BTreeSet<String>,
    /// How many there are of a thing, as `4 machines` and `four machines`.
    counts: BTreeSet<String>,
}

impl Words {
    /// From the layouts, the declaration and the recordings of this repository.
    fn gathered() -> Self {
        let mut words = Self::default();
        let tests = root().join("tests");
        let mut layouts = files(&tests.join("topologies"), "json");
        layouts.retain(|path| file_name(path).starts_with("baldurkeep"));
        for path in files(&tests.join("recordings"), "json")
            .iter()
            .chain(&layouts)
        {
            let value: Value = serde_json::from_str(&read(path)).unwrap();
            words.take(&value, "");
            words.count(&value);
        }
        // Whose cloud it is stands in the layout's file name.
        for path in layouts {
            words.take_name(file_name(&path).split('-').next().unwrap());
        }
        for path in files(&root().join("topology"), "yaml") {
            words.take_yaml(&read(&path));
        }
        for word in ALLOWED.map(|(word, _)| word).iter().chain(&TRIED) {
            words.names.remove(*word);
            words.numbers.remove(*word);
        }
        words
    }

    fn len(&self) -> usize {
        self.names.len()
            + self.addresses.len()
            + self.networks.len()
            + self.macs.len()
            + self.numbers.len()
            + self.counts.len()
    }

    fn take(&mut self, value: &Value, field: &str) {
        match value {
            Value::Object(fields) => {
                let path = fields.get("path").and_then(Value::as_str);
                let is_setting = path.is_some_and(|path| path.ends_with("/maas/"));
                for (field, value) in fields {
                    // Names of MAAS's own programs and settings, and what it complains about by field.
                    let setting = is_setting && ["query", "form"].contains(&field.as_str());
                    if field != "service_set" && !setting {
                        self.take(value, field);
                    }
                }
            }
            Value::Array(items) => items
                .iter()
                .for_each(|item| self.take(item, if item.is_string() { "" } else { field })),
            Value::String(text) => self.take_text(text, field),
            Value::Number(number) if field == "vid" || field == "vlan" => {
                self.take_vid(&number.to_string());
            }
            Value::Number(_) | Value::Bool(_) | Value::Null => {}
        }
    }

    fn take_text(&mut self, text: &str, field: &str) {
        if NAMING.contains(&field) {
            self.take_name(text);
        }
        if field == "vid" {
            self.take_vid(text);
        }
        for (address, prefix) in addresses(text) {
            if is_special(address) {
                continue;
            }
            self.addresses.insert(address);
            // Anything shorter would take in half of the world.
            let shortest = if address.is_ipv4() { 16 } else { 32 };
            if let Some(prefix) = prefix.filter(|prefix| *prefix >= shortest) {
                self.networks.insert((network(address, prefix), prefix));
            }
        }
        self.macs.extend(macs(text));
    }

    fn take_name(&mut self, text: &str) {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let named = text.len() >= 3 && text.chars().all(plain);
        if named && text.contains(|c: char| c.is_ascii_alphabetic()) && !is_maas_own(text) {
            self.names.insert(text.to_lowercase());
        }
    }

    /// A VID of one or two digits is any number; the last ones are the protocol's.
    fn take_vid(&mut self, text: &str) {
        if text
            .parse::<u16>()
            .is_ok_and(|vid| (100..4094).contains(&vid))
        {
            self.numbers.insert(text.to_owned());
        }
    }

    fn count(&mut self, layout: &Value) {
        for (field, nouns) in [
            ("machines", ["machines", "hosts"]),
            ("vips", ["VIPs", "services"]),
        ] {
            let count = layout[field].as_array().map_or(0, Vec::len);
            // Each service has its VIP on three planes.
            let count = if field == "vips" { count / 3 } else { count };
            let word = count.checked_sub(3).and_then(|at| NUMERALS.get(at));
            for noun in nouns {
                self.counts
                    .extend(word.map(|word| format!("{word} {}", noun.to_lowercase())));
                if count >= 3 {
                    self.counts
                        .insert(format!("{count} {}", noun.to_lowercase()));
                }
            }
        }
    }

    /// The declaration, without a reader for YAML: `field: value`, in lines and in braces, and whatever is an address or
    /// a place in a network.
    fn take_yaml(&mut self, text: &str) {
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            for pair in line.split(['{', '}', ',']) {
                let Some((field, value)) = pair.split_once(": ") else {
                    continue;
                };
                self.take_text(value.trim(), field.trim().trim_start_matches("- "));
                if value.trim().starts_with('+') && value.contains("..+") {
                    self.numbers.insert(value.trim().to_owned());
                }
            }
        }
    }

    /// What `text` says of them, each once.
    fn found_in(&self, text: &str) -> BTreeSet<String> {
        let lower = text.to_lowercase();
        let mut said = BTreeSet::new();
        let tokens = tokens(&lower);
        let squeezed: BTreeSet<String> = tokens.iter().map(|token| squeeze(token)).collect();
        for name in &self.names {
            // A name that nobody has by chance is also found inside of another and however it is written.
            let rare = squeeze(name).len() >= 6
                && name.contains(|c: char| c.is_ascii_digit() || "-_.".contains(c));
            let inside = rare && squeezed.iter().any(|token| token.contains(&squeeze(name)));
            if inside || is_whole(&lower, name) {
                said.insert(name.clone());
            }
        }
        let whole = addresses(&lower).into_iter().map(|(address, _)| address);
        for address in whole.chain(in_pieces(&lower)) {
            let of_a_network = self.networks.iter().any(|(first, prefix)| {
                first.is_ipv4() == address.is_ipv4() && network(address, *prefix) == *first
            });
            if self.addresses.contains(&address) || of_a_network {
                said.insert(address.to_string());
            }
        }
        let macs = macs(&lower);
        said.extend(self.macs.intersection(&macs).cloned());
        for exact in self.numbers.iter().chain(&self.counts) {
            if is_whole(&lower, exact) {
                said.insert(exact.clone());
            }
        }
        said
    }
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// What MAAS calls things by itself.
fn is_maas_own(name: &str) -> bool {
    let numbered = ["fabric-", "vlan-", "space-", "subnet-"]
        .iter()
        .any(|kind| {
            let number = name.strip_prefix(kind);
            number.is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit()))
        });
    let own = [
        "untagged",
        "undefined",
        "maas",
        "default",
        "main_archive",
        "ports_archive",
    ];
    numbered || own.contains(&name)
}

/// Examples (RFC 5737, RFC 3849) and addresses that every computer has.
fn is_special(address: IpAddr) -> bool {
    let examples = [
        ("192.0.2.0", 24),
        ("198.51.100.0", 24),
        ("203.0.113.0", 24),
        ("2001:db8::", 32),
    ];
    let example = examples.iter().any(|(first, prefix)| {
        let first: IpAddr = first.parse().unwrap();
        first.is_ipv4() == address.is_ipv4() && network(address, *prefix) == first
    });
    let mask = matches!(address, IpAddr::V4(v4) if v4.octets()[0] == 255);
    example || mask || address.is_loopback() || address.is_unspecified() || address.is_multicast()
}

fn network(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX
                .checked_shl(32 - u32::from(prefix.min(32)))
                .unwrap_or(0);
            Ipv4Addr::from(u32::from(v4) & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX
                .checked_shl(128 - u32::from(prefix.min(128)))
                .unwrap_or(0);
            Ipv6Addr::from(u128::from(v6) & mask).into()
        }
    }
}

/// Every address in a text, with its prefix length where it has one.
fn addresses(text: &str) -> Vec<(IpAddr, Option<u8>)> {
    let part = |c: char| !c.is_ascii_hexdigit() && !".:/".contains(c);
    let mut found = Vec::new();
    for piece in text.split(part) {
        // `..` stands between two addresses.
        for piece in piece.split("..") {
            let piece = piece.trim_matches(|c| c == '/' || c == '.');
            let (address, prefix) = match piece.split_once('/') {
                Some((address, prefix)) => (address, prefix.parse().ok()),
                None => (piece, None),
            };
            let address = address.trim_end_matches(|c| c == ':' && !address.ends_with("::"));
            if let Ok(address) = address.parse() {
                found.push((address, prefix));
            }
        }
    }
    found
}

/// Addresses as four numbers with commas between, and the two or three numbers that one begins with, as its network.
fn in_pieces(text: &str) -> Vec<IpAddr> {
    let joined = text.replace(", ", ".").replace(',', ".");
    let dotted = joined.split(|c: char| !c.is_ascii_digit() && c != '.');
    dotted
        .flat_map(|piece| {
            let whole = piece.trim_end_matches('.');
            [
                whole.to_owned(),
                format!("{whole}.0"),
                format!("{whole}.0.0"),
            ]
        })
        .filter_map(|whole| whole.parse::<Ipv4Addr>().ok())
        .map(IpAddr::from)
        .collect()
}

fn macs(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_ascii_hexdigit() && c != ':')
        .map(|piece| piece.trim_matches(':').to_lowercase())
        .filter(|piece| {
            let pairs: Vec<&str> = piece.split(':').collect();
            pairs.len() == 6 && pairs.iter().all(|pair| pair.len() == 2)
        })
        .collect()
}

/// The words of a text as a program has them.
fn tokens(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c))
        .filter(|token| !token.is_empty())
        .collect()
}

/// Without what people write between the parts of a name.
fn squeeze(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// Whether `word` stands in `text` with nothing beside it that would make another word of it.
fn is_whole(text: &str, word: &str) -> bool {
    let beside = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + word.len()..]);
        !before.ends_with(beside) && !after.starts_with(beside)
    })
}

/// The rooms that may not know: everything that is built of these crates, and their examples. The story is told about
/// the reference site, and tests may be.
fn rooms() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for name in CRATES {
        let folder = root().join("bot").join(name);
        found.push(folder.join("Cargo.toml"));
        found.extend(files(&folder, "rs"));
    }
    found.retain(|path| {
        let text = path.strip_prefix(root()).unwrap_or(path).to_string_lossy();
        let story = text.starts_with("bot/simulation/src/demo");
        !story && !text.contains("/tests/") && !text.ends_with("/tests.rs")
    });
    found
}

#[test]
fn nothing_that_plans_asks_or_pretends_knows_the_reference_site_or_the_recordings() {
    let words = Words::gathered();
    let rooms = rooms();
    assert!(rooms.len() > 180, "only {} files", rooms.len());
    let mut told = BTreeMap::new();
    for path in rooms {
        let said = words.found_in(&without_tests(&read(&path)));
        if !said.is_empty() {
            told.insert(path, said);
        }
    }
    for command in listed_commands() {
        let said = words.found_in(&printed(&[&command, "--help"]));
        if !said.is_empty() {
            told.insert(PathBuf::from(format!("planebot {command} --help")), said);
        }
    }
    println!("looked for {} words", words.len());
    assert!(told.is_empty(), "{told:#?}");
}

#[test]
fn the_list_of_words_is_drawn_from_what_is_there() {
    let words = Words::gathered();
    assert!(words.len() > 450, "only {} words", words.len());
    let parts = [
        words.names.len(),
        words.addresses.len(),
        words.networks.len(),
        words.macs.len(),
    ];
    for (part, least) in parts.into_iter().zip([90, 200, 60, 25]) {
        assert!(part >= least, "{parts:?}");
    }
    assert!(
        words.numbers.len() > 5 && words.counts.len() > 3,
        "{words:?}"
    );
}

#[test]
fn each_of_the_words_is_found_where_somebody_plants_it() {
    let words = Words::gathered();
    assert_eq!(
        words.found_in("// a comment, 192.0.2.7, eth0"),
        BTreeSet::new()
    );
    let all = (words.names.iter().cloned())
        .chain(words.addresses.iter().map(ToString::to_string))
        .chain(
            words
                .networks
                .iter()
                .map(|(first, prefix)| format!("{first}/{prefix}")),
        )
        .chain(words.macs.iter().cloned())
        .chain(words.numbers.iter().cloned())
        .chain(words.counts.iter().cloned());
    for word in all {
        for planted in [
            format!("/// Such as `{word}`.\n"),
            format!("if name == \"{word}\" {{"),
            format!("({})", word.to_uppercase()),
        ] {
            assert!(!words.found_in(&planted).is_empty(), "{planted}");
        }
    }
    for planted in [
        "let METAL_ADMIN = 1;",
        "struct MetalAdmin;",
        "fn is_metal_admin_gateway()",
        "Ipv4Addr::new(10, 12, 8, 1)",
        "[10,12,8,1]",
        "text.starts_with(\"10.12.\")",
        "10.12.9.77",
        "10.12.8.2..10.12.8.99",
        "`virbr1.104`",
        "vid == 104",
        "openstack2.maas",
        "fd42:8019:9206:57de::5",
    ] {
        assert!(!words.found_in(planted).is_empty(), "{planted}");
    }
}

#[test]
fn each_exception_is_a_word_that_would_be_found() {
    let rooms: Vec<String> = rooms()
        .iter()
        .map(|path| without_tests(&read(path)).to_lowercase())
        .collect();
    let mut idle: Vec<&str> = ALLOWED.map(|(word, _)| word).to_vec();
    idle.extend(TRIED);
    let says = |text: &str, word: &str| is_whole(text, word) || is_whole(text, &squeeze(word));
    idle.retain(|word| !rooms.iter().any(|text| says(text, word)));
    assert!(idle.is_empty(), "nothing says {idle:?}");
}
