//! Findings: what is wrong in a file, where, and how to fix it.
//!
//! Knows every code and how a finding looks on a terminal; must not know YAML or MAAS. The files are untrusted, so
//! everything quoted from them passes through [`shown`], which escapes control characters.

use std::fmt;

use serde::Serialize;

/// Whether a declaration with this finding is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The declaration is rejected.
    Error,
    /// The declaration is accepted; somebody should look at it.
    Warning,
}

/// A kind of finding: its stable name, its severity, and what it means in one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FindingCode {
    /// `subject/problem`; never renamed.
    pub name: &'static str,
    pub severity: Severity,
    /// One line for the documentation and `--explain`.
    pub means: &'static str,
}

/// A finding at a position in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The path as it was given.
    pub file: String,
    /// Counted from 1.
    pub line: u32,
    /// Counted from 1, in characters.
    pub column: u32,
    pub severity: Severity,
    /// A name in [`CODES`].
    pub code: &'static str,
    /// One lower-case sentence; quoted names are in backticks.
    pub message: String,
    /// The source line with carets below it; empty when the file has no such line.
    pub excerpt: String,
    /// How to fix it.
    pub help: String,
}

impl Finding {
    /// Whether this finding rejects the declaration.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// A position in one of the files that were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FilePosition {
    /// Index of the file in the order of paths.
    pub(crate) file: usize,
    /// From 1.
    pub(crate) line: u32,
    /// From 1, in characters.
    pub(crate) column: u32,
    /// In characters; an excerpt draws at least one caret.
    pub(crate) width: u32,
}

/// The most findings that are kept: more than anyone reads, and few enough to post in a comment.
pub const FINDINGS_MAX: usize = 500;

/// How many characters of a source line an excerpt shows.
const EXCERPT_CHARS: usize = 120;

/// The findings so far, with the files they are about.
pub(crate) struct Findings<'a> {
    files: Vec<(&'a str, &'a str)>,
    kept: Vec<Finding>,
    has_errors: bool,
}

impl<'a> Findings<'a> {
    /// Starts without findings. `files` are paths and texts, in the order of [`FilePosition::file`].
    pub(crate) fn about(files: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        Self {
            files: files.collect(),
            kept: Vec::new(),
            has_errors: false,
        }
    }

    /// Adds a finding at `place`.
    pub(crate) fn add(
        &mut self,
        code: FindingCode,
        place: FilePosition,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.has_errors |= code.severity == Severity::Error;
        if self.kept.len() >= FINDINGS_MAX {
            return;
        }
        let (path, text) = self.files.get(place.file).copied().unwrap_or_default();
        let source = (place.line as usize)
            .checked_sub(1)
            .and_then(|at| text.lines().nth(at));
        self.kept.push(Finding {
            file: path.to_owned(),
            line: place.line.max(1),
            column: place.column.max(1),
            severity: code.severity,
            code: code.name,
            message: message.into(),
            excerpt: source.map_or_else(String::new, |line| excerpt(line, place)),
            help: help.into(),
        });
    }

    /// The path of the file at `place`, safe to print.
    pub(crate) fn path(&self, place: FilePosition) -> String {
        self.files
            .get(place.file)
            .map_or_else(String::new, |(path, _)| shown(path))
    }

    /// Whether another finding would be kept; expensive help is computed only then.
    pub(crate) fn has_room(&self) -> bool {
        self.kept.len() < FINDINGS_MAX
    }

    /// Whether any finding so far is an error.
    pub(crate) fn has_errors(&self) -> bool {
        self.has_errors
    }

    /// All findings, ordered by file, line and column.
    pub(crate) fn into_findings(mut self) -> Vec<Finding> {
        self.kept.sort();
        self.kept.dedup();
        self.kept
    }
}

/// The source line with carets under `place`, cut to a window around it.
fn excerpt(line: &str, place: FilePosition) -> String {
    let column = (place.column.max(1) - 1) as usize;
    let skipped = column.saturating_sub(EXCERPT_CHARS / 2);
    let window: Vec<String> = line
        .chars()
        .skip(skipped)
        .take(EXCERPT_CHARS)
        .map(|c| if c == '\t' { ' ' } else { c })
        .map(|c| shown_char(c).unwrap_or_else(|| c.to_string()))
        .collect();
    let before: usize = window
        .iter()
        .take(column - skipped)
        .map(|c| c.chars().count())
        .sum();
    let under: usize = window
        .iter()
        .skip(column - skipped)
        .take(place.width.max(1) as usize)
        .map(|c| c.chars().count())
        .sum();
    format!(
        "{}\n{}{}",
        window.concat().trim_end(),
        " ".repeat(before),
        "^".repeat(under.max(1))
    )
}

/// Untrusted text, safe to print on one line: at most 120 characters, with control and invisible characters escaped.
pub fn shown(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().take(EXCERPT_CHARS) {
        match shown_char(c) {
            Some(escaped) => out.push_str(&escaped),
            None => out.push(c),
        }
    }
    if text.chars().nth(EXCERPT_CHARS).is_some() {
        out.push('…');
    }
    out
}

fn shown_char(c: char) -> Option<String> {
    // Control characters, and invisible ones that reorder or hide text: zero width, bidi, separators, tags.
    let hidden = c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    hidden.then(|| c.escape_unicode().to_string())
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}[{}]: {}", self.severity, self.code, self.message)?;
        let margin = self.line.to_string().len();
        let (file, line, column) = (shown(&self.file), self.line, self.column);
        writeln!(f, "{:margin$}--> {file}:{line}:{column}", "")?;
        if let Some((source, carets)) = self.excerpt.split_once('\n') {
            writeln!(f, "{:margin$} |", "")?;
            writeln!(f, "{line} | {source}")?;
            writeln!(f, "{:margin$} | {carets}", "")?;
        }
        if self.help.is_empty() {
            return Ok(());
        }
        writeln!(f, "{:margin$} = help: {}", "", self.help)
    }
}

macro_rules! codes {
    ($($id:ident $severity:ident $name:literal $means:literal;)*) => {
        /// Every code, in the order of the documentation.
        pub const CODES: &[FindingCode] = &[$(codes::$id),*];

        /// The codes by name.
        pub(crate) mod codes {
            use super::{FindingCode, Severity};
            $(pub(crate) const $id: FindingCode = FindingCode { name: $name, severity: Severity::$severity, means: $means };)*
        }
    };
}

codes! {
    FILE_PATH Error "file/path" "the path leaves the site's folder, contains odd characters, or differs from another only by case";
    FILE_SIZE Error "file/size" "a file over 1 MiB, or more files than a network needs";
    FILE_NUL Error "file/nul" "the file contains a NUL byte: it is not text";
    FILE_UTF8 Error "file/utf-8" "the file is not UTF-8";
    FILE_LFS Error "file/lfs" "the file is a Git LFS pointer, not the content";
    FILE_EMPTY Error "file/empty" "the file is empty; to stop declaring something, delete the file";
    YAML_SYNTAX Error "yaml/syntax" "the file is not YAML";
    YAML_ANCHOR Error "yaml/anchor" "anchors and aliases are not supported: write each value where it is used";
    YAML_MERGE Error "yaml/merge-key" "merge keys (`<<`) are not supported: write each value where it is used";
    YAML_TAG Error "yaml/tag" "tags (`!name`) are not supported";
    YAML_DEEP Error "yaml/deep" "nested more deeply than any declaration needs";
    YAML_BIG Error "yaml/big" "more values in one file than a declaration needs";
    YAML_DOCUMENTS Error "yaml/documents" "a file with more than one document; a second `---` is not supported";
    YAML_DUPLICATE Error "yaml/duplicate-key" "the same key is given twice in one mapping";
    KEY_UNKNOWN Error "key/unknown" "a key that is not known here";
    KEY_MISSING Error "key/missing" "a required key is missing";
    VALUE_EMPTY Error "value/empty" "a key without a value: give one, or remove the line";
    VALUE_TYPE Error "value/type" "a list, a mapping or a scalar where another type is expected";
    VALUE_RANGE Error "value/range" "a number or choice that MAAS does not accept";
    VALUE_LONG Error "value/long" "a list of more than 4096 entries: split it over several files";
    VALUE_CONTROL Warning "value/control" "text with control or invisible characters";
    CIDR_SYNTAX Error "cidr/syntax" "not a network in the form `192.0.2.0/24`";
    CIDR_HOST_BITS Error "cidr/host-bits" "host bits are set: this is an address, not a network";
    CIDR_PREFIX Error "cidr/prefix" "a prefix of 0 or of a single host";
    ADDRESS_SYNTAX Error "address/syntax" "neither `+N`, nor an address, nor `plane+N`";
    ADDRESS_OUTSIDE Error "address/outside" "an address or offset outside the subnet it belongs to";
    ADDRESS_TWICE Error "address/twice" "one address assigned twice";
    ADDRESS_DYNAMIC Error "address/in-dynamic" "a fixed address inside a dynamic range, which MAAS refuses";
    ADDRESS_EDGE Error "address/edge" "a host on an IPv4 subnet's network or broadcast address";
    ADDRESS_FAMILY Error "address/family" "a plane without a subnet of the address's family, or two families in one range";
    PLANE_KEY Error "plane/key" "a plane key with characters other than letters, digits, `-`, `_` and `.`";
    PLANE_DUPLICATE Error "plane/duplicate" "two planes with the same key";
    PLANE_VLAN Error "plane/duplicate-vlan" "two planes on the same VLAN of one fabric";
    PLANE_UNKNOWN Error "plane/unknown" "a reference to a plane that is not declared";
    PLANE_ABSENT Error "plane/absent" "a reference to a plane that is to be removed, or a subnet that is both declared and to be removed";
    STATE_BOTH Error "state/both" "a space or fabric that is both declared and to be removed, or whose `state` says nothing";
    PLANE_EMPTY Error "plane/no-subnet" "a reference to a plane that has no subnet";
    NAME_SYNTAX Error "name/syntax" "a name that is too long or has characters that MAAS refuses";
    NAME_RESERVED Error "name/reserved" "a name that MAAS reserves for itself";
    NAME_GENERATED Warning "name/generated" "a name like `fabric-3` or `space-3`, which only MAAS itself can assign";
    NAME_ODD Error "name/odd" "a subnet name with characters that MAAS refuses";
    VLAN_VID Error "vlan/vid" "a VID outside 0 to 4094";
    VLAN_UNTAGGED Error "vlan/untagged-name" "a name for an untagged VLAN, which MAAS always calls `untagged`";
    VLAN_MTU Error "vlan/mtu" "an MTU below 552 or above 65535";
    VLAN_MTU_PARENT Warning "vlan/mtu-above-untagged" "a tagged plane with a larger MTU than the untagged plane that carries it";
    DHCP_RELAY Error "dhcp/relay" "a plane relayed to itself, or to a plane that is relayed itself";
    DHCP_RACKS Error "dhcp/racks" "a secondary rack without a primary one, or the same rack twice";
    DHCP_NO_RANGE Warning "dhcp/no-range" "DHCP is on and no subnet of the plane has a dynamic range, which MAAS refuses";
    DHCP_IDLE_RANGE Warning "dhcp/idle-range" "a dynamic range on a plane whose DHCP is off";
    SUBNET_NO_CIDR Error "subnet/no-cidr" "subnet fields without a `cidr`";
    OVERLAP_PLANE Error "overlap/plane" "two declared subnets share addresses";
    OVERLAP_RESERVED Error "overlap/reserved" "two reservations of a subnet share addresses";
    GATEWAY_DYNAMIC Warning "gateway/in-dynamic" "a gateway inside a dynamic range: DHCP could lease it to a host";
    DNS_DYNAMIC Warning "dns/in-dynamic" "a resolver inside a dynamic range: DHCP could lease it to a host";
    DNS_FOREIGN Warning "dns/foreign" "a resolver in another plane, written as an address: it would not follow if that plane moved";
    RANGE_SYNTAX Error "range/syntax" "not a range in the form `+10..+99` or `192.0.2.10..192.0.2.99`";
    RANGE_ORDER Error "range/order" "a range that ends before it starts";
    RANGE_OUTSIDE Error "range/outside" "a range that reaches outside its subnet";
    RANGE_NETWORK Error "range/network-address" "a range that starts at the network address, which MAAS refuses";
    RANGE_BROADCAST Error "range/broadcast-address" "an IPv4 range that ends at the broadcast address, which MAAS refuses";
    RANGE_SMALL Error "range/v6-small" "an IPv6 dynamic range of fewer than 256 addresses, which MAAS refuses";
    RANGE_IMPLICIT Error "range/v6-implicit" "a range that overlaps `::1` to `::ffff:ffff` of an IPv6 /64, which MAAS reserves for itself";
    ROUTE_SELF Error "route/self" "a static route to its own subnet, or to the other address family";
    ROUTE_TWICE Error "route/twice" "the same static route is declared twice";
    ROUTE_UNDECLARED Warning "route/undeclared" "a static route to a subnet that is not declared: MAAS must already have it";
    MAC_SYNTAX Error "mac/syntax" "not a MAC address in the form `52:54:00:12:34:56`";
    RESERVED_IP_TWICE Error "reserved-ip/twice" "one address reserved for two hosts";
    MACHINE_DUPLICATE Error "machine/duplicate" "two machines with the same name, or two interfaces with the same name on one machine";
    MACHINE_NAME Error "machine/name" "not a valid host name";
    MACHINE_HOST Error "machine/no-host" "a link uses `host`, but the machine has no `host: +N`";
    JUMPHOST_INTERFACE Error "jumphost/interface"
        "not a valid Linux interface name: it would appear in the commands shown to an operator";
    MACHINE_TEMPLATE Error "machine/template" "a template that is not declared, or declared twice";
    INTERFACE_UNKNOWN Warning "interface/unknown-type" "an interface type that planebot does not know";
    INTERFACE_PARENT Error "interface/parent" "a parent that the machine does not have, or the wrong number of parents for the type";
    INTERFACE_CYCLE Error "interface/cycle" "interfaces that are each other's parents";
    INTERFACE_VLAN Error "interface/vlan" "both `plane` and `vlan` on one interface";
    LINK_SUBNET Error "link/subnet" "a link that does not say which of a plane's subnets it means, or names one that the plane does not have";
    LINK_VLAN Warning "link/other-vlan" "a link to a plane on another VLAN than its interface";
    INTERFACE_PARAM Error "interface/parameter" "a parameter that this type of interface does not have, or a value that MAAS does not accept";
    LINK_GATEWAY Error "link/gateway" "a default gateway that MAAS does not accept, or a second one of the same family on one machine";
    LINK_TWICE Error "link/twice" "the same link is declared twice on one interface";
    VIP_DUPLICATE Error "vip/duplicate" "two groups of virtual addresses with the same name";
    VIP_BAND Error "vip/outside-band" "a virtual address outside every `vip` reservation of its plane";
    VIP_HOST Error "vip/no-host" "a leg without an address, in a group without `host: +N`";
    LEAVE_DECLARED Error "leave-alone/declared" "something is both declared and listed under `leave_alone`";
    SITE_SHARED Error "site/shared" "a VLAN, subnet or machine that another site of the same MAAS declares too";
    SITE_MAYBE_SHARED Warning "site/maybe-shared" "a VLAN, subnet or machine that another site declares too, perhaps of the same MAAS";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_unique_and_says_what_it_means() {
        let mut names: Vec<&str> = CODES.iter().map(|code| code.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        for code in CODES {
            let (subject, problem) = code.name.split_once('/').unwrap();
            let kebab = |s: &str| {
                s.chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            };
            assert!(kebab(subject) && kebab(problem), "{}", code.name);
            assert!(
                code.means.len() > 15 && !code.means.ends_with('.'),
                "{}",
                code.name
            );
        }
    }

    #[test]
    fn a_finding_shows_the_line_and_points_at_the_position() {
        let mut findings =
            Findings::about([("a.yaml", "plane: a\ncidr: 10.0.0.1/24\n")].into_iter());
        let place = FilePosition {
            file: 0,
            line: 2,
            column: 7,
            width: 11,
        };
        findings.add(
            codes::CIDR_HOST_BITS,
            place,
            "`10.0.0.1/24` has host bits set",
            "write `10.0.0.0/24`",
        );
        assert!(findings.has_errors());
        insta::assert_snapshot!(findings.into_findings()[0], @r"
        error[cidr/host-bits]: `10.0.0.1/24` has host bits set
         --> a.yaml:2:7
          |
        2 | cidr: 10.0.0.1/24
          |       ^^^^^^^^^^^
          = help: write `10.0.0.0/24`
        ");
    }

    #[test]
    fn untrusted_text_cannot_move_the_cursor_or_hide() {
        assert_eq!(
            shown("a\u{1b}[2Jb\u{202e}c\n"),
            "a\\u{1b}[2Jb\\u{202e}c\\u{a}"
        );
        assert!(shown(&"x".repeat(1000)).chars().count() < 130);
    }
}
