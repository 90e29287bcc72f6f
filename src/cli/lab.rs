//! `lab`: JupyterLab on the notebooks.

use super::command::{command, run};
use super::project::Project;
use super::{Result, setup};

/// Starts JupyterLab and returns when it ends.
///
/// # Errors
/// The set-up or JupyterLab failed.
pub fn lab(project: &Project, options: &[String]) -> Result<()> {
    let environment = setup::setup(project)?;
    run(
        command(environment.python())
            .args(["-m", "jupyterlab", "--notebook-dir"])
            .arg(project.notebooks())
            .args(options),
        "see JupyterLab's message above",
    )
}
