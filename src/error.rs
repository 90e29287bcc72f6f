//! The crate's one error type.
//!
//! Every variant says what was expected and what came. `Debug` is the same one line as `Display`,
//! since a notebook shows the `Debug` form of an error that reaches `?`.

use std::fmt;
use std::path::{Path, PathBuf};

/// The error of everything in this crate: what was wrong, with which value and where.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument outside its range.
    #[error("{name} is {got}; expected {expected}")]
    Argument {
        /// The argument's name.
        name: &'static str,
        /// What it must be.
        expected: String,
        /// What it was.
        got: String,
    },
    /// A tensor whose shape does not fit.
    #[error("{operation}: {name} has shape {got:?}; expected {expected}")]
    Shape {
        /// The function that was called.
        operation: &'static str,
        /// The tensor's name.
        name: &'static str,
        /// The shape it must have.
        expected: String,
        /// The shape it has.
        got: Vec<usize>,
    },
    /// A file that is not what it should be.
    #[error("{}: {got}; expected {expected}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What it must hold.
        expected: String,
        /// What it holds.
        got: String,
    },
    /// The operating system refused to read or write.
    #[error("{}: {source}{}", path.display(), whereabouts(path, source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// No source could bring a data set; `attempts` has one line a source.
    #[error(
        "{set} could not be downloaded:\n  {}\n  you can put its files, compressed or not, into {}",
        attempts.join("\n  "),
        folder.display()
    )]
    Fetch {
        /// The data set.
        set: &'static str,
        /// One line a source that was tried, with its reason.
        attempts: Vec<String>,
        /// The data set's folder.
        folder: PathBuf,
    },
    /// A tensor operation failed. Shown without candle's backtrace, which a notebook's kernel
    /// always asks for.
    #[error("{}", first_line(.0))]
    Candle(#[from] candle_core::Error),
    /// The user asked to stop ([`interrupt`](crate::interrupt)).
    #[error("stopped by the user; everything from earlier cells is kept")]
    Interrupted,
    /// A figure could not be drawn.
    #[error("figure: {0}")]
    Figure(String),
}

/// The result of a function of this crate, with its [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Where a relative path that leads nowhere began.
fn whereabouts(path: &Path, error: &std::io::Error) -> String {
    let lost = path.is_relative() && error.kind() == std::io::ErrorKind::NotFound;
    match std::env::current_dir() {
        Ok(folder) if lost => format!("; the path begins in {}", folder.display()),
        _ => String::new(),
    }
}

/// The first line of an error of another library, which may carry a backtrace.
pub(crate) fn first_line(error: &impl fmt::Display) -> String {
    error
        .to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error {
    /// Makes the error of an argument outside its range: `name is got; expected expected`.
    pub fn argument(
        name: &'static str,
        expected: impl Into<String>,
        got: impl fmt::Display,
    ) -> Self {
        Self::Argument {
            name,
            expected: expected.into(),
            got: got.to_string(),
        }
    }

    /// Makes the error of a tensor whose shape does not fit.
    pub fn shape(
        operation: &'static str,
        name: &'static str,
        expected: impl Into<String>,
        got: &[usize],
    ) -> Self {
        Self::Shape {
            operation,
            name,
            expected: expected.into(),
            got: got.to_vec(),
        }
    }

    /// Makes the error of a file that is not what it should be.
    pub fn file(
        path: impl AsRef<Path>,
        expected: impl Into<String>,
        got: impl fmt::Display,
    ) -> Self {
        Self::File {
            path: path.as_ref().to_path_buf(),
            expected: expected.into(),
            got: got.to_string(),
        }
    }

    /// Makes an error of the operating system at a path, for `map_err`.
    pub fn io(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io { path, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_names_value_and_expectation() {
        let error = Error::argument("eps", "a number ≥ 0", -0.5);
        assert_eq!(error.to_string(), "eps is -0.5; expected a number ≥ 0");
        assert_eq!(format!("{error:?}"), error.to_string());
        let error = Error::from(candle_core::Error::Msg("shapes differ".into()).bt());
        assert_eq!(error.to_string(), "shapes differ");
        let error = Error::shape("fgsm", "images", "(N, 784)", &[3, 4]);
        assert_eq!(
            error.to_string(),
            "fgsm: images has shape [3, 4]; expected (N, 784)"
        );
        let nowhere = || std::io::Error::from(std::io::ErrorKind::NotFound);
        let folder = std::env::current_dir().unwrap().display().to_string();
        let relative = Error::io("mine.npz")(nowhere()).to_string();
        assert!(relative.ends_with(&format!("; the path begins in {folder}")));
        assert!(
            !Error::io("/mine.npz")(nowhere())
                .to_string()
                .contains(&folder)
        );
    }
}
