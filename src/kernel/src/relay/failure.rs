//! Why a cell failed, as a client shows it.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;

use serde_json::{Value, json};

use super::marks::Panic;

const RED: &str = "\u{1b}[31m";
const PLAIN: &str = "\u{1b}[0m";

/// The three parts of Jupyter's `error`.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// `ename`: its kind.
    pub name: String,
    /// `evalue`: what it says.
    pub value: String,
    /// `traceback`: what the reader sees, by lines.
    pub traceback: Vec<String>,
}

impl Failure {
    /// A failure that its name and its words explain.
    pub fn new(name: &str, value: &str) -> Self {
        Self::with_lines(name, value, vec![])
    }

    /// As `new`, with more lines.
    fn with_lines(name: &str, value: &str, lines: Vec<String>) -> Self {
        let shown = format!("{RED}{name}{PLAIN}: {value}");
        let traceback = shown.lines().map(str::to_owned).chain(lines).collect();
        Self {
            name: name.to_owned(),
            value: value.to_owned(),
            traceback,
        }
    }

    /// A panic, with its place in the cell. `package` is the folder of the package that evcxr
    /// compiled the cell in.
    pub fn panic(panic: &Panic, code: &str, package: &Path) -> Self {
        let mut lines = vec![place(panic, code, package)];
        if !panic.thread.is_empty() && panic.thread != "main" {
            lines.push(format!("  in thread {:?}", panic.thread));
        }
        Self::with_lines("Panic", &panic.message, lines)
    }

    /// An error that reached `?`: `said` is what was written to standard error of it.
    pub fn error(said: &str) -> Self {
        let said = without_backtrace(said);
        let said = if said.is_empty() {
            "an error reached `?`"
        } else {
            said
        };
        Self::new("Error", said)
    }

    /// The process of the cells has ended.
    pub fn ended(status: Option<ExitStatus>, said: &str) -> Self {
        let how = match status {
            Some(status) => match (status.code(), status.signal()) {
                (Some(code), _) => format!("exited with status {code}"),
                (None, Some(signal)) => {
                    format!("was ended by signal {signal} ({})", signal_name(signal))
                }
                (None, None) => "ended".to_owned(),
            },
            None => "ended".to_owned(),
        };
        let value = format!(
            "the process of the cells {how}; its variables are lost, functions and imports stay"
        );
        let lines = without_backtrace(said).lines().map(str::to_owned).collect();
        Self::with_lines("ProcessEnded", &value, lines)
    }

    /// It was more than a cell may use here.
    pub fn limit(name: &str, limit: &str, has_ended: bool) -> Self {
        let loss = if has_ended {
            "its process was ended: its variables are lost, functions and imports stay"
        } else {
            "it was stopped: everything from earlier cells is kept"
        };
        Self::new(name, &format!("{limit}; {loss}"))
    }

    /// The user has stopped the cell.
    pub fn interrupted(said: &str) -> Self {
        Self::new("Interrupted", said)
    }

    /// What evcxr reports: compilation errors, or a refusal. Its messages become one.
    pub fn reported(errors: &[Value]) -> Self {
        let texts: Vec<&str> = errors
            .iter()
            .filter_map(|error| error["evalue"].as_str())
            .collect();
        let is_compilation = errors.iter().any(|error| {
            error["traceback"]
                .as_array()
                .is_some_and(|lines| lines.len() > 1)
        });
        let mut value = texts
            .first()
            .copied()
            .unwrap_or("the cell was refused")
            .trim()
            .to_owned();
        if texts.len() > 1 {
            value.push_str(&format!(" (and {} more)", texts.len() - 1));
        }
        let lines = errors
            .iter()
            .flat_map(|error| error["traceback"].as_array().into_iter().flatten());
        let lines: Vec<String> = lines
            .filter_map(|line| line.as_str().map(str::to_owned))
            .collect();
        let name = if is_compilation {
            "CompileError"
        } else {
            "Error"
        };
        let mut failure = Self::new(name, &value);
        if !lines.is_empty() {
            failure.traceback = lines;
        }
        failure
    }

    /// The content of an `error` message; a reply has the same.
    pub fn content(&self) -> Value {
        json!({"ename": self.name, "evalue": self.value, "traceback": self.traceback})
    }
}

/// Where a panic came from, in the reader's words. A cell's own line is found by its text, since
/// evcxr compiles it among others.
fn place(panic: &Panic, code: &str, package: &Path) -> String {
    // rustc names it from the workspace's folder, the package's parent.
    let of_cells = package
        .file_name()
        .map(|name| Path::new(name).join("src/lib.rs"));
    if of_cells.is_none_or(|of_cells| of_cells != Path::new(&panic.file)) {
        let file = panic.file.rsplit_once("/registry/src/").map_or(
            panic.file.as_str(),
            |(_, crate_file)| {
                crate_file
                    .split_once('/')
                    .map_or(crate_file, |(_, file)| file)
            },
        );
        return format!("  at {file}:{}:{}", panic.line, panic.column);
    }
    let compiled = std::fs::read_to_string(package.join("src/lib.rs")).unwrap_or_default();
    let compiled: Vec<&str> = compiled.lines().map(str::trim).collect();
    let Some(&line) = panic
        .line
        .checked_sub(1)
        .and_then(|index| compiled.get(index))
    else {
        return format!("  at {}:{}:{}", panic.file, panic.line, panic.column);
    };
    // Where the cell has the same line more than once, they come in the same order.
    let earlier = compiled[..panic.line - 1]
        .iter()
        .filter(|other| **other == line)
        .count();
    // evcxr gives each statement a line of its own.
    let holds_it = || code.lines().position(|other| other.contains(line));
    let of_cell: Vec<usize> = (0..)
        .zip(code.lines())
        .filter(|(_, other)| other.trim() == line)
        .map(|(at, _)| at)
        .collect();
    match of_cell
        .get(earlier)
        .or(of_cell.first())
        .copied()
        .or_else(holds_it)
    {
        Some(at) => format!("  in line {} of the cell: {line}", at + 1),
        None => format!("  in an earlier cell's line: {line}"),
    }
}

/// Without the frames that candle and others append where backtraces are asked for.
fn without_backtrace(said: &str) -> &str {
    let is_first_frame = |line: &str| line.starts_with("   0: ");
    let frames: usize = said
        .split_inclusive('\n')
        .take_while(|line| !is_first_frame(line))
        .map(str::len)
        .sum();
    said[..frames].trim()
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        4 => "illegal instruction",
        6 => "abort",
        7 => "bus error",
        8 => "arithmetic exception",
        9 => "killed; perhaps the memory was full",
        11 => "segmentation fault",
        15 => "terminated",
        _ => "a signal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_found_in_its_cell() {
        let folder = tempfile::tempdir().unwrap();
        let package = folder.path().join("ctx");
        std::fs::create_dir_all(package.join("src")).unwrap();
        let compiled =
            "fn earlier() { panic!() }\nlet _ = {\nlet a = v[5];\nok();\nlet a = v[5];\n}\n";
        std::fs::write(package.join("src/lib.rs"), compiled).unwrap();
        let panic = |line| Panic {
            message: "no".into(),
            file: "ctx/src/lib.rs".into(),
            line,
            column: 9,
            thread: "main".into(),
        };
        let code = "// a comment\nlet a = v[5];\nok();\n  let a = v[5];";
        let shown = |line| Failure::panic(&panic(line), code, &package).traceback[1].clone();
        assert_eq!(shown(3), "  in line 2 of the cell: let a = v[5];");
        assert_eq!(shown(5), "  in line 4 of the cell: let a = v[5];");
        let code = "let n = 1; ok(); let m = 2;";
        let failure = Failure::panic(&panic(4), code, &package);
        assert_eq!(failure.traceback[1], "  in line 1 of the cell: ok();");
        let code = "let other = 1;";
        let shown = |line| Failure::panic(&panic(line), code, &package).traceback[1].clone();
        assert_eq!(
            shown(1),
            "  in an earlier cell's line: fn earlier() { panic!() }"
        );
        assert_eq!(shown(100), "  at ctx/src/lib.rs:100:9");
        let mut elsewhere = panic(7);
        elsewhere.file = "/home/x/.cargo/registry/src/index-1/ndarray-0.17.2/src/lib.rs".into();
        let failure = Failure::panic(&elsewhere, code, &package);
        assert_eq!(failure.traceback[1], "  at ndarray-0.17.2/src/lib.rs:7:9");
    }

    #[test]
    fn several_errors_of_the_compiler_are_one() {
        let error = |value: &str| json!({"ename": "Error", "evalue": value, "traceback": [value, "  here"]});
        let failure = Failure::reported(&[error("one"), error("two")]);
        assert_eq!(
            (failure.name.as_str(), failure.value.as_str()),
            ("CompileError", "one (and 1 more)")
        );
        assert_eq!(failure.traceback, ["one", "  here", "two", "  here"]);
        assert_eq!(Failure::reported(&[]).value, "the cell was refused");
    }

    #[test]
    fn frames_are_left_out() {
        assert_eq!(
            Failure::error("shapes differ\n   0: std::backtrace\n").value,
            "shapes differ"
        );
        assert_eq!(
            Failure::error("   0: std::backtrace\n").value,
            "an error reached `?`"
        );
        assert_eq!(Failure::error(" \n").value, "an error reached `?`");
        assert!(
            Failure::ended(Some(ExitStatus::from_raw(9)), "")
                .value
                .contains("memory")
        );
        assert!(
            Failure::ended(Some(ExitStatus::from_raw(3 << 8)), "")
                .value
                .contains("status 3")
        );
    }
}
