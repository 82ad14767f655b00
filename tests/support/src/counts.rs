//! Numbers that a run of the tests counted: printed, and kept in `tests/COUNTS.md` where `PLANEBOT_WRITE_COUNTS` is set.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// The head of the table; its rows follow to the end of the file.
const TABLE: &str = "| test | what | count |\n|---|---|---:|\n";

/// Tests of one process run side by side.
static FILE: Mutex<()> = Mutex::new(());

/// Prints a number, and keeps it in the table: in the row of that test and that name, or in a new one.
///
/// # Panics
///
/// Where the numbers are to be kept and the table cannot be read or written.
#[expect(clippy::print_stdout, reason = "the tests' own output")]
pub fn record(test: &str, name: &str, count: usize) {
    let count = grouped(count);
    println!("{test}: {name}: {count}");
    if std::env::var_os("PLANEBOT_WRITE_COUNTS").is_none() {
        return;
    }
    let _guard = FILE.lock().unwrap_or_else(PoisonError::into_inner);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../COUNTS.md");
    let text = std::fs::read_to_string(&path).expect("tests/COUNTS.md is there");
    let row = format!("| `{test}` | {name} | ");
    let (before, table) = text
        .split_once(TABLE)
        .expect("tests/COUNTS.md has the table");
    let mut rows: Vec<String> = table.lines().map(str::to_owned).collect();
    rows.retain(|line| !line.starts_with(&row));
    rows.push(format!("{row}{count} |"));
    rows.sort();
    let text = format!("{before}{TABLE}{}\n", rows.join("\n"));
    std::fs::write(&path, text).expect("tests/COUNTS.md can be written");
}

/// `1,842`.
fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        write!(text, "{digit}").expect("a string takes every character");
    }
    text
}
