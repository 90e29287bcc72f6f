//! The command `lab`: opens the notebooks in JupyterLab.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;

use serde_json::json;

use super::command::command;
use super::files::write_if_changed;
use super::project::Project;
use super::{Failure, Result, setup};

/// What JupyterLab starts without. The first asks whether it may fetch news, and asks the network
/// whether there is a newer version. The others are nbgrader's for teachers, who start JupyterLab in
/// the folder of their course; students keep its button that validates a notebook.
const DISABLED: [&str; 6] = [
    "@jupyterlab/apputils-extension:announcements",
    "@jupyter/nbgrader:assignment-list",
    "@jupyter/nbgrader:course-list",
    "@jupyter/nbgrader:create-assignment",
    "@jupyter/nbgrader:formgrader",
    "@jupyter/nbgrader:menu",
];

/// Does the set-up and becomes JupyterLab: what ends this process ends JupyterLab, and with it the
/// kernels.
///
/// # Errors
/// The set-up failed, JupyterLab cannot be started, or would not start as root. On success it does
/// not return.
pub fn lab(project: &Project, options: &[String]) -> Result<()> {
    check_user(rustix::process::getuid().is_root(), options)?;
    let environment = setup::setup(project)?;
    let config = project.target.join("lab");
    let disabled: serde_json::Map<String, serde_json::Value> = DISABLED
        .into_iter()
        .map(|name| (name.to_owned(), true.into()))
        .collect();
    let page = json!({"disabledExtensions": disabled});
    write_if_changed(
        &config.join("labconfig/page_config.json"),
        &format!("{page:#}\n"),
    )?;
    let mut jupyter = command(environment.python());
    jupyter.args(["-m", "jupyterlab"]);
    if !options
        .iter()
        .any(|option| option.contains("notebook-dir") || option.contains("root_dir"))
    {
        jupyter.arg("--notebook-dir").arg(project.notebooks());
    }
    let error = jupyter
        // A cell may print much, and all of it is shown.
        .arg("--ZMQChannelsWebsocketConnection.limit_rate=False")
        .args(options)
        .env(
            "JUPYTER_CONFIG_PATH",
            before(config.into(), "JUPYTER_CONFIG_PATH"),
        )
        .exec();
    Err(Failure(format!("JupyterLab cannot be started: {error}")))
}

/// JupyterLab's own refusal comes after the set-up, and names another command.
fn check_user(is_root: bool, options: &[String]) -> Result<()> {
    if !is_root
        || options
            .iter()
            .any(|option| option.contains("allow-root") || option.contains("allow_root"))
    {
        return Ok(());
    }
    let remedy = "JupyterLab refuses to run as root; in a container, allow it: cargo run -- lab -- --allow-root";
    Err(Failure(remedy.to_owned()))
}

/// A search path that begins with `first` and goes on as the environment's.
fn before(first: OsString, variable: &str) -> OsString {
    let mut path = first;
    if let Some(rest) = std::env::var_os(variable).filter(|rest| !rest.is_empty()) {
        path.push(":");
        path.push(rest);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_told_what_to_pass() {
        let refusal = check_user(true, &["--no-browser".to_owned()])
            .unwrap_err()
            .to_string();
        assert!(
            refusal.ends_with("cargo run -- lab -- --allow-root"),
            "{refusal}"
        );
        assert!(check_user(true, &["--allow-root".to_owned()]).is_ok());
        assert!(check_user(true, &["--ServerApp.allow_root=True".to_owned()]).is_ok());
        assert!(check_user(false, &[]).is_ok());
    }
}
