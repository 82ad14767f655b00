//! A comment to what was asked.
//!
//! A command is a whole comment: one line of printable ASCII that begins with `/`. Nothing else is one: not in code,
//! quotes, lists, links or HTML comments, not beside other text, not with a character that only looks right. Where a
//! comment seems to mean a command and is none, it is [`Misspelt`] and the reply says why; all other comments are
//! people talking. It must not know who wrote it.

mod looks;

use plan::gate::GateName;

use looks::Odd;

/// A comment of more bytes is people talking, however it begins.
const LINE_BYTES_MAX: usize = 400;

/// What a comment asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Plan again.
    Plan,
    /// Carry the plan out; with a digest only that one.
    Apply(Option<ShortDigest>),
    /// A gate's work is done.
    Done {
        /// Which.
        gate: GateName,
        /// What the operator gives as evidence; printable ASCII.
        evidence: Option<String>,
    },
    /// End the run.
    Abort,
    /// Say where things stand.
    Status,
    /// Say why an object is as it is.
    Why(String),
    /// Say what can be asked.
    Help,
}

/// The words, in the order of `/help`.
pub const WORDS: [&str; 7] = ["plan", "apply", "done", "abort", "status", "why", "help"];

impl Command {
    /// The word, without the solidus.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Apply(_) => "apply",
            Self::Done { .. } => "done",
            Self::Abort => "abort",
            Self::Status => "status",
            Self::Why(_) => "why",
            Self::Help => "help",
        }
    }

    /// Whether only an operator may ask it: it leads to writes, or to their end.
    pub fn is_order(&self) -> bool {
        match self {
            Self::Apply(_) | Self::Done { .. } | Self::Abort => true,
            Self::Plan | Self::Status | Self::Why(_) | Self::Help => false,
        }
    }
}

/// The eight hex digits by which people name a plan: `7f3a-91c2`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShortDigest(String);

impl ShortDigest {
    /// Believes `xxxx-xxxx` in lower-case hex, and nothing that is nearly so.
    pub fn parse(text: &str) -> Option<Self> {
        let good = text.len() == 9
            && text.bytes().enumerate().all(|(at, byte)| match at {
                4 => byte == b'-',
                _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            });
        good.then(|| Self(text.to_owned()))
    }

    /// As people write it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ShortDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a comment that looks like a command is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misspelt {
    /// A character that only looks right, or does not show.
    #[error("{what} (U+{:04X}) is in the comment; a command is plain ASCII, so type it anew", *.character as u32)]
    OddCharacter {
        /// Which.
        character: char,
        /// What it is, for people.
        what: &'static str,
    },
    /// Nearly a word.
    #[error("there is no `/{word}`; did you mean `/{meant}`?")]
    Nearly {
        /// As written; ASCII letters only.
        word: String,
        /// The nearest word.
        meant: &'static str,
    },
    /// There is more than the command.
    #[error("a command is the whole comment, on one line: `/{word}` with more lines is none")]
    NotAlone {
        /// The word.
        word: &'static str,
    },
    /// More words than it takes.
    #[error("`/{word}` takes {takes}, and nothing after it")]
    TooMuch {
        /// The word.
        word: &'static str,
        /// What it takes.
        takes: &'static str,
    },
    /// Fewer words than it takes.
    #[error("`/{word}` needs {needs}")]
    TooLittle {
        /// The word.
        word: &'static str,
        /// What it needs.
        needs: &'static str,
    },
    /// No digest.
    #[error(
        "`/apply` takes a digest as the plan shows it: eight lower-case hex digits, as `7f3a-91c2`"
    )]
    NotADigest,
    /// No gate of that name.
    #[error("there is no such gate; the gates are `teardown`, `vacate`, `jumphost` and `rack`")]
    NoSuchGate,
    /// Too long for any command.
    #[error("a command has at most {LINE_BYTES_MAX} characters")]
    TooLong,
}

/// Reads a comment. `None`: people talking.
pub fn parse(comment: &str) -> Option<Result<Command, Misspelt>> {
    // Trailing blanks and line ends are what editors add; anything else that trails belongs to the comment.
    let body = comment.trim_end_matches([' ', '\t', '\r', '\n']);
    let (line, more) = match body.split_once(['\n', '\r']) {
        Some((line, _)) => (line, true),
        None => (body, false),
    };
    if let Some(odd) = looks::odd(head_of(line)) {
        return odd_command(line, &odd);
    }
    let word = word_of(line)?;
    let Some(known) = WORDS.iter().copied().find(|known| *known == word) else {
        return nearly(word).map(|meant| {
            Err(Misspelt::Nearly {
                word: word.to_owned(),
                meant,
            })
        });
    };
    Some(if more {
        Err(Misspelt::NotAlone { word: known })
    } else if line.len() > LINE_BYTES_MAX {
        Err(Misspelt::TooLong)
    } else {
        arguments(known, line)
    })
}

/// As much of a line as a command can have.
fn head_of(line: &str) -> &str {
    let end = (0..=LINE_BYTES_MAX.min(line.len()))
        .rev()
        .find(|at| line.is_char_boundary(*at))
        .unwrap_or(0);
    &line[..end]
}

/// The word after the solidus, when the line begins with one and the word is ASCII letters.
fn word_of(line: &str) -> Option<&str> {
    let rest = line.strip_prefix('/')?;
    let word = rest.split(' ').next().unwrap_or(rest);
    let letters = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    letters.then_some(word)
}

/// A line with characters that do not belong: a command only if it reads as one once they are put right.
fn odd_command(line: &str, odd: &Odd) -> Option<Result<Command, Misspelt>> {
    let skeleton = looks::skeleton(head_of(line));
    let rest = skeleton.trim_start_matches(' ').strip_prefix('/')?;
    let end = rest.find(|c: char| !c.is_ascii_alphabetic());
    let meant = &rest[..end.unwrap_or(rest.len())];
    // An indented line is code, whatever else is in it.
    if line.starts_with("    ") || line.starts_with('\t') || nearly(meant).is_none() {
        return None;
    }
    Some(Err(Misspelt::OddCharacter {
        character: odd.character,
        what: odd.what,
    }))
}

/// The word that is meant, if the difference is no more than a slip: a letter in a short one, two in a longer one.
fn nearly(word: &str) -> Option<&'static str> {
    let written = word.to_ascii_lowercase();
    WORDS
        .iter()
        .map(|known| (strsim::damerau_levenshtein(&written, known), *known))
        .filter(|(slips, known)| {
            *slips <= usize::from(known.len() > 3) + usize::from(known.len() > 4)
        })
        .min()
        .map(|(_, known)| known)
}

fn arguments(word: &'static str, line: &str) -> Result<Command, Misspelt> {
    let rest = line[word.len() + 1..].trim_matches(' ');
    let none = |command| {
        if rest.is_empty() {
            Ok(command)
        } else {
            Err(Misspelt::TooMuch {
                word,
                takes: "nothing",
            })
        }
    };
    match word {
        "plan" => none(Command::Plan),
        "abort" => none(Command::Abort),
        "status" => none(Command::Status),
        "help" => none(Command::Help),
        "apply" => apply(rest),
        "done" => done(rest),
        _ => why(rest),
    }
}

fn apply(rest: &str) -> Result<Command, Misspelt> {
    if rest.is_empty() {
        return Ok(Command::Apply(None));
    }
    if rest.contains(' ') {
        return Err(Misspelt::TooMuch {
            word: "apply",
            takes: "at most a digest",
        });
    }
    let digest = ShortDigest::parse(rest).ok_or(Misspelt::NotADigest)?;
    Ok(Command::Apply(Some(digest)))
}

fn done(rest: &str) -> Result<Command, Misspelt> {
    let (gate, evidence) = rest.split_once(' ').unwrap_or((rest, ""));
    if gate.is_empty() {
        return Err(Misspelt::TooLittle {
            word: "done",
            needs: "the name of a gate",
        });
    }
    let gate = GateName::read(gate).ok_or(Misspelt::NoSuchGate)?;
    let evidence = evidence.trim_matches(' ');
    Ok(Command::Done {
        gate,
        evidence: (!evidence.is_empty()).then(|| evidence.to_owned()),
    })
}

fn why(rest: &str) -> Result<Command, Misspelt> {
    if rest.is_empty() {
        return Err(Misspelt::TooLittle {
            word: "why",
            needs: "the name of an object",
        });
    }
    Ok(Command::Why(rest.to_owned()))
}

#[cfg(test)]
mod tests;
