//! What is too long for GitHub, cut so that it still reads as Markdown. It must not know what is said.

/// GitHub takes 65,536 characters; the key that nobody sees needs some of them.
pub(super) const LONGEST: usize = 65_000;

/// What is kept for saying that something was cut.
const ROOM: usize = 500;

/// What is open at some line.
#[derive(Default)]
struct Open {
    /// The ticks that shut the fence.
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

    fn shut(self) -> String {
        let fence = self.fence.map(|ticks| format!("{ticks}\n"));
        fence.unwrap_or_default() + &"\n</details>\n".repeat(self.folds)
    }
}

/// The text, or as many of its first lines as fit, with every fence and fold shut and a word on what is missing.
pub fn fitted(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let mut room = LONGEST - ROOM;
    let mut open = Open::default();
    let mut kept = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next_if(|line| line.chars().count() < room) {
        room -= line.chars().count() + 1;
        open.read(line);
        kept.push_str(line);
        kept.push('\n');
    }
    let cut = lines.count();
    format!(
        "{kept}{}\n*{cut} more lines do not fit into a comment; `planebot plan` and the history branch have all of it.*\n",
        open.shut()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_said_as_it_is() {
        let text = "é".repeat(LONGEST);
        assert_eq!(fitted(&text), text);
    }

    #[test]
    fn what_is_cut_shuts_its_fences_and_folds() {
        let line = "+ a change of something, a line long\n";
        let text = format!(
            "### Heading\n\n<details><summary>all</summary>\n\n````diff\n```\n{}````\n\n</details>\n",
            line.repeat(4_000)
        );
        let said = fitted(&text);
        assert!(said.chars().count() <= LONGEST);
        let end: Vec<&str> = said.lines().rev().take(6).collect();
        insta::assert_snapshot!(end.into_iter().rev().collect::<Vec<_>>().join("\n"), @"
        + a change of something, a line long
        ````

        </details>

        *2262 more lines do not fit into a comment; `planebot plan` and the history branch have all of it.*
        ");
    }

    #[test]
    fn one_endless_line_leaves_its_heading() {
        let said = fitted(&format!("### Heading\n{}", "x".repeat(70_000)));
        assert!(said.starts_with("### Heading\n\n*1 more lines"), "{said}");
    }
}
