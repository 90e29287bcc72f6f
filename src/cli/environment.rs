//! The Jupyter environment: an active conda or virtual environment, else `.venv`.

use std::path::{Path, PathBuf};

use super::command::{command, find, output, run};
use super::project::Project;
use super::{Failure, Result};

/// A Python environment with Jupyter.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Its folder (`sys.prefix`).
    pub prefix: PathBuf,
    /// Whether it is the project's own `.venv`, with the very versions of environment.yml. In an
    /// active environment of the user's, any version will do: nothing of theirs is changed.
    own: bool,
}

/// The oldest Python that JupyterLab supports here.
const OLDEST_PYTHON: (u32, u32) = (3, 10);

impl Environment {
    /// Its interpreter.
    pub fn python(&self) -> PathBuf {
        self.prefix.join("bin/python")
    }

    /// The active environment if it has JupyterLab, else `.venv`, whether it exists or not.
    pub fn locate(project: &Project) -> Self {
        let active = ["CONDA_PREFIX", "VIRTUAL_ENV"]
            .into_iter()
            .filter_map(std::env::var_os)
            .map(|prefix| Self {
                prefix: prefix.into(),
                own: false,
            })
            .find(Self::has_jupyter_lab);
        active.unwrap_or_else(|| Self {
            prefix: project.venv(),
            own: true,
        })
    }

    fn has_jupyter_lab(&self) -> bool {
        output(command(self.python()).args(["-c", "import jupyterlab"])).is_ok()
    }

    /// The packages of `required` that are not installed, or in `.venv` not in the version that is
    /// asked for.
    ///
    /// # Errors
    /// There is no working Python.
    pub fn missing(&self, required: &[String]) -> Result<Vec<String>> {
        const SCRIPT: &str = "\
import sys
from importlib.metadata import PackageNotFoundError, version
for requirement in sys.argv[1:]:
    name, _, wanted = requirement.partition('==')
    try:
        found = version(name)
    except PackageNotFoundError:
        found = None
    if found is None or wanted and found != wanted:
        print(requirement)
";
        let required: Vec<&str> = required
            .iter()
            .map(|requirement| {
                if self.own {
                    requirement.as_str()
                } else {
                    name_of(requirement)
                }
            })
            .collect();
        let missing = output(command(self.python()).args(["-c", SCRIPT]).args(required))?;
        Ok(missing.lines().map(str::to_owned).collect())
    }

    /// Makes the environment if it does not exist and installs what it lacks. Returns what was
    /// installed.
    ///
    /// # Errors
    /// No suitable Python, or pip fails.
    pub fn complete(&self, required: &[String]) -> Result<Vec<String>> {
        const NO_VENV: &str = "on Debian and Ubuntu: apt-get install python3-venv";
        if !self.python().is_file() {
            let python = system_python()?;
            println!("making {}", self.prefix.display());
            run(
                command(python).args(["-m", "venv"]).arg(&self.prefix),
                NO_VENV,
            )?;
        }
        let missing = self.missing(required)?;
        if !missing.is_empty() {
            // A venv whose making was interrupted, or that lacked the system's package for it, has
            // no pip.
            if output(command(self.python()).args(["-m", "pip", "--version"])).is_err() {
                run(
                    command(self.python()).args(["-m", "ensurepip", "--upgrade"]),
                    NO_VENV,
                )?;
            }
            println!("installing {}", missing.join(", "));
            run(
                command(self.python())
                    .args([
                        "-m",
                        "pip",
                        "install",
                        "--quiet",
                        "--disable-pip-version-check",
                    ])
                    .args(&missing),
                "check the network connection, then run the command again",
            )?;
        }
        Ok(missing)
    }
}

/// `nbconvert==7.17.2` → `nbconvert`.
fn name_of(requirement: &str) -> &str {
    requirement
        .split_once("==")
        .map_or(requirement, |(name, _)| name)
}

/// A Python that is new enough.
///
/// # Errors
/// None is on `PATH`, or it is too old.
pub fn system_python() -> Result<PathBuf> {
    let (major, minor) = OLDEST_PYTHON;
    let python = ["python3", "python"].into_iter().find_map(find).ok_or_else(|| {
        Failure(format!(
            "python3 is not on PATH; install Python {major}.{minor} or newer (python.org, conda or your system)"
        ))
    })?;
    let version = output(command(&python).args([
        "-c",
        "import sys; print(sys.version_info[0], sys.version_info[1])",
    ]))?;
    let numbers: Vec<u32> = version
        .split_whitespace()
        .filter_map(|number| number.parse().ok())
        .collect();
    match numbers[..] {
        [found_major, found_minor] if (found_major, found_minor) >= OLDEST_PYTHON => Ok(python),
        _ => Err(Failure(format!(
            "{} is Python {}; expected {major}.{minor} or newer",
            python.display(),
            version.replace(' ', ".")
        ))),
    }
}

/// The pip packages that environment.yml lists: the one list that conda and `setup` share.
///
/// # Errors
/// The file cannot be read, or lists none.
pub fn required_packages(root: &Path) -> Result<Vec<String>> {
    let path = root.join("environment.yml");
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Failure(format!("{}: {error}", path.display())))?;
    let packages = pip_section(&text);
    if packages.is_empty() {
        return Err(Failure(format!(
            "{}: no packages under `- pip:`",
            path.display()
        )));
    }
    Ok(packages)
}

fn pip_section(text: &str) -> Vec<String> {
    text.lines()
        .skip_while(|line| line.trim() != "- pip:")
        .skip(1)
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map_while(|line| line.strip_prefix("- "))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pip_section_is_read() {
        let text = "dependencies:\n  - python\n  - pip:\n      - one==1.0\n      # why\n      - two\nother: 3\n";
        assert_eq!(pip_section(text), ["one==1.0", "two"]);
        assert!(
            required_packages(Path::new(env!("CARGO_MANIFEST_DIR")))
                .unwrap()
                .len()
                >= 3
        );
        assert!(pip_section("name: x\n").is_empty());
    }
}
