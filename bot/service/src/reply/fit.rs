//! Cuts a comment that is too long for GitHub so that the rest is still valid Markdown. It must not know what it contains.

/// GitHub allows 65,536 characters; the hidden key needs some of them.
pub(super) const CHARS_MAX: usize = 65_000;

/// Reserved for closing tags and the note about the cut.
const RESERVED: usize = 500;

/// The Markdown blocks that are open after a line.
#[derive(Default)]
struct Open {
    /// The backticks that close the fence.
    fence: Option<String>,
    folds: usize,
}

impl Open {
    fn read(&mut self, line: &str) {
        let trimmed = line.trim();
        let ticks: String = trimmed.chars().take_while(|c| *c == '`').collect();
        match &self.fence {
            Some(open) if trimmed == open => self.fence = None,
            None if ticks.len() >= 3 => self.fence = Some(ticks),
            Some(_) => {}
            None => {
                self.folds += line.matches("<details>").count();
                self.folds = self
                    .folds
                    .saturating_sub(line.matches("</details>").count());
            }
        }
    }

    fn close(self) -> String {
        let fence = self.fence.map(|ticks| format!("{ticks}\n"));
        fence.unwrap_or_default() + &"\n</details>\n".repeat(self.folds)
    }
}

/// The text, or as many of its first lines as fit, with every fence and fold closed and a note on what is missing.
pub fn fitted(text: &str) -> String {
    if text.chars().count() <= CHARS_MAX {
        return text.to_owned();
    }
    let mut remaining = CHARS_MAX - RESERVED;
    let mut open = Open::default();
    let mut head = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next_if(|line| line.chars().count() < remaining) {
        remaining -= line.chars().count() + 1;
        open.read(line);
        head.push_str(line);
        head.push('\n');
    }
    let cut = lines.count();
    format!(
        "{head}{}\n*{cut} more lines do not fit in a comment; `planebot plan` and the history branch have the full text.*\n",
        open.close()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_fits_is_unchanged() {
        let text = "é".repeat(CHARS_MAX);
        assert_eq!(fitted(&text), text);
    }

    #[test]
    fn a_cut_text_closes_its_fences_and_folds() {
        let line = "+ a change of something, a line long\n";
        let text = format!(
            "### Heading\n\n<details><summary>all</summary>\n\n````diff\n```\n{}````\n\n</details>\n",
            line.repeat(4_000)
        );
        let cut = fitted(&text);
        assert!(cut.chars().count() <= CHARS_MAX);
        let end: Vec<&str> = cut.lines().rev().take(6).collect();
        insta::assert_snapshot!(end.into_iter().rev().collect::<Vec<_>>().join("\n"), @"
        + a change of something, a line long
        ````

        </details>

        *2262 more lines do not fit in a comment; `planebot plan` and the history branch have the full text.*
        ");
    }

    #[test]
    fn of_one_endless_line_the_heading_remains() {
        let cut = fitted(&format!("### Heading\n{}", "x".repeat(70_000)));
        assert!(cut.starts_with("### Heading\n\n*1 more lines"), "{cut}");
    }
}
