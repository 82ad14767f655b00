//! Which texts are names: of sites, GitHub accounts, repositories and folders.

pub(super) fn is_site_name(text: &str) -> bool {
    text.len() <= 40
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// GitHub: letters, digits and single hyphens; enterprise accounts add `_`.
pub(super) fn is_login(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// 1 to 100 letters, digits, `-`, `_` and `.`; not `.` and not `..`.
pub(super) fn is_word(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text != "."
        && text != ".."
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// `owner/name`.
pub(super) fn is_repository(text: &str) -> bool {
    text.split_once('/')
        .is_some_and(|(owner, name)| is_login(owner) && is_word(name))
}

/// A relative path that cannot leave the repository.
pub(super) fn is_folder(text: &str) -> bool {
    text.split('/').all(is_word)
}
