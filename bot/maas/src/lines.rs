//! Text of a MAAS, or of whoever answers in its place, made safe for one line. Must not know where it is shown.

/// MAAS's text on one line, without characters that control a terminal, change the writing direction or are invisible.
pub(crate) fn in_a_line(text: &str) -> String {
    let separates = |c: char| c.is_whitespace() || c.is_control() || is_invisible(c);
    let words: Vec<&str> = text
        .split(separates)
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ")
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
}
