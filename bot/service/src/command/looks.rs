//! Look-alike and invisible characters.
//!
//! They are only used to name the wrong character in a reply; a comment is never accepted because it looks right.

/// A character that does not belong in a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Odd {
    pub(super) character: char,
    pub(super) description: &'static str,
}

/// The first character that is not printable ASCII.
pub(super) fn odd(line: &str) -> Option<Odd> {
    line.chars()
        .find(|c| !matches!(c, ' '..='~'))
        .map(|character| Odd {
            character,
            description: describe(character),
        })
}

/// The line as it looks to a reader: without invisible characters, and with ASCII in place of look-alikes.
pub(super) fn skeleton(line: &str) -> String {
    line.chars().filter_map(looks_like).collect()
}

fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

fn describe(c: char) -> &'static str {
    match c {
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}' => {
            "a character that changes the text direction"
        }
        '\u{e0000}'..='\u{e007f}' => "an invisible tag character",
        '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => "an invisible variation selector",
        _ if is_invisible(c) => "an invisible character",
        _ if is_mark(c) => "a combining mark",
        _ if c.is_control() => "a control character",
        _ if c.is_whitespace() => "whitespace that is not a space",
        '\u{ff01}'..='\u{ff5e}' => "a full-width character",
        _ => match looks_like(c) {
            Some(ascii) if ascii.is_ascii() && ascii != c => {
                "a character that looks like an ASCII character"
            }
            Some(_) | None => "a character outside ASCII",
        },
    }
}

/// The ASCII character that it resembles, or the character itself; `None` if it is invisible.
fn looks_like(c: char) -> Option<char> {
    if c.is_ascii() && !c.is_control() {
        return Some(c);
    }
    if is_invisible(c) || is_mark(c) || (c.is_control() && c != '\t') {
        return None;
    }
    if c.is_whitespace() {
        return Some(' ');
    }
    let resembled = match c {
        // Full-width forms have ASCII's order.
        '\u{ff01}'..='\u{ff5e}' => u32::from(c)
            .checked_sub(0xfee0)
            .and_then(char::from_u32)
            .unwrap_or(c),
        // Mathematical letters: thirteen alphabets of 26 capitals and 26 small letters.
        '\u{1d400}'..='\u{1d6a3}' => alphabet(u32::from(c) - 0x1d400),
        _ => script(c),
    };
    Some(resembled)
}

fn alphabet(at: u32) -> char {
    let letter = u8::try_from(at % 26).unwrap_or(0);
    char::from(if at % 52 < 26 { b'A' } else { b'a' } + letter)
}

/// Look-alikes of the letters in commands, after Unicode's confusables (UTS 39).
fn script(c: char) -> char {
    match c {
        '⁄' | '∕' | '⧸' | '╱' | '⟋' | '〳' | '丿' | '᜵' | '\u{2cc6}' | '\u{2e4a}' => {
            '/'
        }
        'а' | 'ɑ' | 'α' | '⍺' | 'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ａ' => 'a',
        'Ь' | 'Ƅ' | 'ᑲ' => 'b',
        'с' | 'ϲ' | 'ᴄ' | 'ⅽ' | 'ç' => 'c',
        'ԁ' | 'ⅾ' | 'ɗ' => 'd',
        'е' | 'ҽ' | '℮' | 'è' | 'é' | 'ê' | 'ë' | 'ε' => 'e',
        'һ' | 'հ' | 'ℎ' | 'ɦ' => 'h',
        'і' | 'ı' | 'ι' | 'ⅰ' | 'ӏ' | 'Ӏ' | 'ⅼ' | 'ǀ' | '∣' | 'ן' => 'l',
        'ո' | 'ռ' | 'ñ' | 'η' => 'n',
        'о' | 'ο' | 'օ' | 'ᴏ' | 'σ' | 'ö' | 'ó' | 'ò' | 'ô' => 'o',
        'р' | 'ρ' | '⍴' | 'ϱ' => 'p',
        'г' | 'ᴦ' | 'ꮁ' => 'r',
        'ѕ' | 'ꜱ' | 'ʂ' | 'ş' => 's',
        'т' | 'τ' | 'ᴛ' => 't',
        'υ' | 'ս' | 'ʋ' | 'ᴜ' | 'ü' | 'ú' => 'u',
        'ѡ' | 'ԝ' | 'ա' | 'ᴡ' | 'ω' => 'w',
        'у' | 'ү' | 'γ' | 'ʏ' | 'ý' | 'ÿ' => 'y',
        '–' | '—' | '‐' | '‑' | '−' => '-',
        _ => c,
    }
}
