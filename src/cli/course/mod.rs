//! The command `course`: lays out a course for nbgrader, and grades a class.

mod grade;
mod init;
mod nbgrader;

use std::path::{Path, PathBuf};

use clap::Subcommand;
pub use nbgrader::check;

use super::files::entries;
use super::project::Project;
use super::{Failure, Result};

/// What to do with a course.
#[derive(Subcommand)]
pub enum What {
    /// Lay out a course: nbgrader's configuration and the sources of all assignments
    ///
    /// Runs `setup` first. From there nbgrader's own commands and its JupyterLab extension hand out,
    /// collect and grade. notebooks/course/README.md is the page for teachers.
    Init {
        /// A folder that does not exist yet, or is empty
        folder: PathBuf,
    },
    /// Grade all submissions of an assignment, several at once
    ///
    /// Runs `nbgrader autograde` for each student who has a folder under submitted/. A student without the
    /// notebook gets a mark, too. A submission that was graded before is graded again only with
    /// --force. Prints the points.
    Grade {
        /// The folder of the course
        folder: PathBuf,
        /// The assignment, for example 2_attack
        assignment: String,
        /// How many submissions run at once; each takes a processor and about 1 GB of memory
        /// [default: one for each processor]
        #[arg(long)]
        jobs: Option<usize>,
        /// Run submissions without network, and with only their own folder writable; needs bubblewrap
        #[arg(long)]
        sandbox: bool,
        /// Grade again what was graded before
        #[arg(long)]
        force: bool,
    },
}

/// Does it.
///
/// # Errors
/// It failed, or a submission could not be graded.
pub fn course(project: &Project, what: What) -> Result<()> {
    match what {
        What::Init { folder } => init::init(project, &folder),
        What::Grade {
            folder,
            assignment,
            jobs,
            sandbox,
            force,
        } => grade::grade(
            project,
            &folder,
            &grade::Options {
                assignment,
                jobs,
                sandbox,
                force,
            },
        ),
    }
}

/// The name of nbgrader's configuration file.
const CONFIG: &str = "nbgrader_config.py";

/// The assignments in a folder of sources, by name.
///
/// # Errors
/// The folder cannot be read.
fn assignments(sources: &Path) -> Result<Vec<String>> {
    let mut names = names(sources, Path::is_dir)?;
    names.retain(|name| !name.starts_with('.'));
    Ok(names)
}

/// The notebooks in a folder: their file names.
///
/// # Errors
/// There is none, or the folder cannot be read.
fn notebooks(folder: &Path) -> Result<Vec<String>> {
    let names = names(folder, |path| {
        path.extension()
            .is_some_and(|extension| extension == "ipynb")
    })?;
    if names.is_empty() {
        return Err(Failure(format!(
            "{} has no notebook; expected one",
            folder.display()
        )));
    }
    Ok(names)
}

/// The names of what `is_meant` in a folder, in order.
fn names(folder: &Path, is_meant: impl Fn(&Path) -> bool) -> Result<Vec<String>> {
    let mut names: Vec<String> = entries(folder)?
        .iter()
        .filter(|path| is_meant(path))
        .filter_map(|path| path.file_name()?.to_str().map(str::to_owned))
        .collect();
    names.sort();
    Ok(names)
}
