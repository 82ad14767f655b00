//! Parses comments into commands.
//!
//! A command is a whole comment: one line of printable ASCII that begins with `/`. Text in code, quotes, lists, links or HTML
//! comments, text next to other text, and text with look-alike characters is never a command. A comment that seems to be
//! meant as a command but is not one is [`Misspelt`], and the reply says why; every other comment is conversation. This
//! module must not know who wrote the comment.

mod looks;

use plan::gate::GateName;

use looks::Odd;

/// The longest command, in bytes.
const LINE_BYTES_MAX: usize = 400;

/// A command that a comment gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Make the plan again.
    Plan,
    /// Apply the plan, or resume its run; with a digest only if the plan has that digest.
    Apply(Option<ShortDigest>),
    /// The work at a gate is done.
    Done {
        /// The gate.
        gate: GateName,
        /// What the operator gives as evidence; printable ASCII.
        evidence: Option<String>,
    },
    /// End the run.
    Abort,
    /// Show the status.
    Status,
    /// Show which steps touch an object.
    Why(String),
    /// List the commands.
    Help,
}

/// The commands' words, in the order of `/help`.
pub const WORDS: [&str; 7] = ["plan", "apply", "done", "abort", "status", "why", "help"];

impl Command {
    /// The word, without the slash.
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

    /// Whether only an operator may give it, because it starts, continues or ends writes.
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
    /// Accepts exactly `xxxx-xxxx` in lower-case hex.
    pub fn parse(text: &str) -> Option<Self> {
        let good = text.len() == 9
            && text.bytes().enumerate().all(|(at, byte)| match at {
                4 => byte == b'-',
                _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            });
        good.then(|| Self(text.to_owned()))
    }

    /// `xxxx-xxxx`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ShortDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a comment that looks like a command is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misspelt {
    /// A look-alike or invisible character.
    #[error("the comment contains {description} (U+{:04X}); a command is plain ASCII, so type it again", *.character as u32)]
    OddCharacter {
        /// The first such character.
        character: char,
        /// A description for people, with its article.
        description: &'static str,
    },
    /// A word that is close to a command.
    #[error("there is no `/{word}`; did you mean `/{meant}`?")]
    Nearly {
        /// The word as written; ASCII letters only.
        word: String,
        /// The closest command.
        meant: &'static str,
    },
    /// More lines follow the command.
    #[error(
        "a command is the whole comment, on one line: `/{word}` followed by more lines is not a command"
    )]
    NotAlone {
        /// The command's word.
        word: &'static str,
    },
    /// Too many arguments.
    #[error("`/{word}` takes {takes}")]
    TooMuch {
        /// The command's word.
        word: &'static str,
        /// The arguments that it takes.
        takes: &'static str,
    },
    /// Too few arguments.
    #[error("`/{word}` needs {needs}")]
    TooLittle {
        /// The command's word.
        word: &'static str,
        /// The argument that is missing.
        needs: &'static str,
    },
    /// The argument is not a digest.
    #[error(
        "`/apply` takes a digest as the plan shows it: eight lower-case hex digits, such as `7f3a-91c2`"
    )]
    NotADigest,
    /// There is no gate of that name.
    #[error("there is no such gate; the gates are `teardown`, `vacate`, `jumphost` and `rack`")]
    NoSuchGate,
    /// Too long for any command.
    #[error("a command has at most {LINE_BYTES_MAX} characters")]
    TooLong,
}

/// Parses a comment; `None` if it is conversation.
pub fn parse(comment: &str) -> Option<Result<Command, Misspelt>> {
    // Editors add trailing whitespace and line ends; anything else at the end belongs to the comment.
    let body = comment.trim_end_matches([' ', '\t', '\r', '\n']);
    let (line, more) = match body.split_once(['\n', '\r']) {
        Some((line, _)) => (line, true),
        None => (body, false),
    };
    if let Some(odd) = looks::odd(command_prefix(line)) {
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

/// The part of a line that can hold a command.
fn command_prefix(line: &str) -> &str {
    let end = (0..=LINE_BYTES_MAX.min(line.len()))
        .rev()
        .find(|at| line.is_char_boundary(*at))
        .unwrap_or(0);
    &line[..end]
}

/// The word after the slash, if the line begins with one and the word consists of ASCII letters.
fn word_of(line: &str) -> Option<&str> {
    let rest = line.strip_prefix('/')?;
    let word = rest.split(' ').next().unwrap_or(rest);
    let letters = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    letters.then_some(word)
}

/// A line with odd characters: it is meant as a command only if its skeleton reads as one.
fn odd_command(line: &str, odd: &Odd) -> Option<Result<Command, Misspelt>> {
    let skeleton = looks::skeleton(command_prefix(line));
    let rest = skeleton.trim_start_matches(' ').strip_prefix('/')?;
    let end = rest.find(|c: char| !c.is_ascii_alphabetic());
    let meant = &rest[..end.unwrap_or(rest.len())];
    // Markdown renders an indented line as code.
    if line.starts_with("    ") || line.starts_with('\t') || nearly(meant).is_none() {
        return None;
    }
    Some(Err(Misspelt::OddCharacter {
        character: odd.character,
        description: odd.description,
    }))
}

/// The command that is probably meant: at most one edit away for a word of four letters, two for a longer one.
fn nearly(word: &str) -> Option<&'static str> {
    let written = word.to_ascii_lowercase();
    WORDS
        .iter()
        .map(|known| (strsim::damerau_levenshtein(&written, known), *known))
        .filter(|(edits, known)| {
            *edits <= usize::from(known.len() > 3) + usize::from(known.len() > 4)
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
                takes: "no arguments",
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
