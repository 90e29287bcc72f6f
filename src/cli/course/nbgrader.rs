//! What has to be there before nbgrader can run: itself, and the kernel.

use super::super::command::{command, output};
use super::super::environment::{Environment, required_packages};
use super::super::project::Project;
use super::super::setup::{kernelspec, kernelspec_text};
use super::super::{Failure, Result};

/// The package's name.
const NAME: &str = "nbgrader";

/// Checks that nbgrader is there, in the version that the configuration is made for, with the
/// kernel. Returns the version.
///
/// # Errors
/// What is missing, in one line with the remedy.
pub fn check(project: &Project, environment: &Environment) -> Result<String> {
    const SCRIPT: &str = "from importlib.metadata import version; print(version('nbgrader'))";
    let wanted = wanted(project)?;
    let place = environment.prefix.display();
    let found = output(command(environment.python()).args(["-c", SCRIPT])).map_err(|_| {
        Failure(format!(
            "{NAME} is not installed in {place}; run `cargo run -- setup`"
        ))
    })?;
    if series(&found) != series(&wanted) {
        return Err(Failure(format!(
            "{NAME} in {place} is version {found}; expected {wanted}: run `{} -m pip install {NAME}=={wanted}`",
            environment.python().display()
        )));
    }
    let spec = kernelspec(environment);
    match std::fs::read_to_string(&spec) {
        Ok(text) if text == kernelspec_text(project) => Ok(found),
        Ok(_) => Err(Failure(format!(
            "{} belongs to another checkout; run `cargo run -- setup`",
            spec.display()
        ))),
        Err(_) => Err(Failure(format!(
            "the kernel is not in {place}; run `cargo run -- setup`"
        ))),
    }
}

/// The version that environment.yml names.
fn wanted(project: &Project) -> Result<String> {
    let packages = required_packages(&project.root)?;
    let version = packages
        .iter()
        .find_map(|package| package.strip_prefix(NAME)?.strip_prefix("=="));
    version
        .map(str::to_owned)
        .ok_or_else(|| Failure(format!("environment.yml does not name {NAME}")))
}

/// `0.9.6` → `0.9`: what changes within is repairs.
fn series(version: &str) -> &str {
    let mut dots = version.match_indices('.').map(|(at, _)| at);
    dots.nth(1).map_or(version, |second| &version[..second])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repairs_are_the_same_series() {
        assert_eq!(series("0.9.6"), series("0.9.10"));
        assert_ne!(series("0.9.6"), series("0.10.0"));
        assert_eq!(series("1"), "1");
    }
}
