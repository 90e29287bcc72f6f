//! What `render` prints on the terminal. Several notebooks may run at once, so every line begins with
//! the name of its notebook.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use super::Report;
use super::events::{Broken, Cell, Kind};

const LABEL_WIDTH: usize = 60;

/// Prints a block as one write, so that two notebooks do not mix; a closed terminal is no reason to
/// stop.
fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}

/// Tells a text of one line or more; the further ones stand below the first.
pub fn line(notebook: &str, text: &str) {
    print(&format!(
        "{notebook}  {}\n",
        text.trim_end().replace('\n', "\n    ")
    ));
}

/// Tells of something that does not look as its author meant it, and is no reason to fail.
pub fn warning(notebook: &str, text: &str) {
    line(notebook, &format!("warning: {text}"));
}

/// Tells of a finished cell: one line, and below it everything about a broken one.
pub fn cell(notebook: &str, cell: &Cell, cells: usize) {
    let (number, seconds, label) = (cell.number, duration(cell.seconds), shorten(&cell.label));
    let width = cells.to_string().len();
    let mark = if cell.broken.is_some() {
        "BROKEN  "
    } else {
        ""
    };
    let mut text =
        format!("{notebook}  cell {number:>width$}/{cells}  {seconds:>9}  {mark}{label}\n");
    if let Some(broken) = &cell.broken {
        text += &explain(broken);
    }
    print(&text);
}

/// The source with line numbers, and the error.
fn explain(broken: &Broken) -> String {
    let mut text = String::new();
    for (index, line) in broken.source.lines().enumerate() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "    {:>3} | {line}", index + 1);
    }
    text += match broken.kind {
        Kind::Error => "  the kernel reports:\n",
        Kind::Timeout => "  the cell took too long:\n",
        Kind::Died => "  the kernel has died:\n",
    };
    for line in broken.message.trim_matches('\n').lines() {
        let _ = writeln!(text, "    {line}");
    }
    text
}

pub fn summary(report: &Report, took: Duration) {
    let (pages, failed) = (report.pages.len(), report.failures.len());
    let mut text = format!(
        "{} after {}: {}\n",
        count(pages, "page"),
        duration(took.as_secs_f64()),
        report.index.display()
    );
    if failed > 0 {
        let _ = writeln!(text, "{} failed:", count(failed, "notebook"));
        for failure in &report.failures {
            let _ = writeln!(text, "  {}: {}", failure.notebook, failure.reason);
        }
    }
    print(&text);
}

pub fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

fn shorten(label: &str) -> String {
    if label.chars().count() <= LABEL_WIDTH {
        return label.to_string();
    }
    label.chars().take(LABEL_WIDTH - 1).chain(['…']).collect()
}

/// A text's first line that says something.
pub fn brief(message: &str) -> &str {
    message
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or("no reason given")
}

/// Seconds as a person says them: 0.4 s, 12 s, 3 min 20 s, 2 h 5 min.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        _ if seconds < 9.95 => format!("{seconds:.1} s"),
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        let said: Vec<String> = [0.04, 9.94, 9.96, 59.7, 200.0, 3600.0, 7500.0]
            .map(duration)
            .into();
        assert_eq!(
            said,
            [
                "0.0 s",
                "9.9 s",
                "10 s",
                "1 min 0 s",
                "3 min 20 s",
                "1 h 0 min",
                "2 h 5 min"
            ]
        );
    }

    #[test]
    fn a_reason_is_one_line() {
        assert_eq!(brief("\n invalid digit\nmore"), "invalid digit");
        assert_eq!(brief(" \n"), "no reason given");
    }

    #[test]
    fn a_broken_cell_shows_its_source_with_line_numbers() {
        let broken = Broken {
            kind: Kind::Error,
            reason: "no".into(),
            message: "no\nway".into(),
            source: "let a = 1;\nb()?;".into(),
        };
        let text = explain(&broken);
        assert!(
            text.starts_with("      1 | let a = 1;\n      2 | b()?;\n"),
            "{text}"
        );
        assert!(text.ends_with("    no\n    way\n"), "{text}");
    }

    #[test]
    fn long_labels_are_cut_between_characters() {
        let label = "β".repeat(200);
        assert_eq!(shorten(&label).chars().count(), LABEL_WIDTH);
        assert_eq!(shorten("short"), "short");
    }
}
