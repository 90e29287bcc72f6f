//! Laying out a course.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::super::files::{at, entries};
use super::super::project::Project;
use super::super::{Failure, Result, setup};
use super::{CONFIG, assignments, nbgrader};

/// nbgrader's configuration, with its explanation.
const CONFIGURATION: &str = include_str!("nbgrader_config.py");

/// Makes the course in `folder`, whole or not at all.
///
/// # Errors
/// The folder is a course already, or not empty; nbgrader is missing or of another version; a file
/// cannot be written.
pub fn init(project: &Project, folder: &Path) -> Result<()> {
    check(folder)?;
    let environment = setup::setup(project)?;
    let version = nbgrader::check(project, &environment)?;
    let names = write(project, folder)?;
    let shown = folder
        .canonicalize()
        .map_err(at(folder))?
        .display()
        .to_string();
    println!("nbgrader {version}");
    println!("course   {shown}: {}", names.join(", "));
    let first = names.first().map_or("ASSIGNMENT", String::as_str);
    let (prefix, root) = (environment.prefix.display(), project.root.display());
    println!(
        "
Next, in {shown}, with the environment's programs on the path:
  export PATH={prefix}/bin:$PATH
  nbgrader generate_assignment {first}     makes what students get, in release/{first}
  jupyter lab                              has Formgrader in its menu Nbgrader
After the submissions are in submitted/STUDENT/{first}:
  cargo run --manifest-path {root}/Cargo.toml -- course grade {shown} {first}
  nbgrader generate_feedback {first}
The page for teachers is {root}/notebooks/course/README.md"
    );
    Ok(())
}

/// Refuses a folder that holds something.
fn check(folder: &Path) -> Result<()> {
    let shown = folder.display();
    if folder.join(CONFIG).exists() {
        return Err(Failure(format!(
            "{shown} is a course already; nothing was changed: choose another folder"
        )));
    }
    if folder.exists() && !folder.is_dir() {
        return Err(Failure(format!(
            "{shown} is a file; expected a new or an empty folder"
        )));
    }
    if !entries(folder)?.is_empty() {
        return Err(Failure(format!(
            "{shown} is not empty; expected a new or an empty folder"
        )));
    }
    Ok(())
}

/// Writes everything beside the folder, then puts it in its place. Returns the assignments.
fn write(project: &Project, folder: &Path) -> Result<Vec<String>> {
    let absolute = std::path::absolute(folder).map_err(at(folder))?;
    let parent = absolute.parent().ok_or_else(|| {
        Failure(format!(
            "{} is no place for a course; expected a new folder",
            folder.display()
        ))
    })?;
    std::fs::create_dir_all(parent).map_err(at(parent))?;
    let draft = tempfile::Builder::new()
        .prefix(".course-")
        .tempdir_in(parent)
        .map_err(at(parent))?;
    let sources = project.notebooks().join("course/source");
    let names = assignments(&sources)?;
    if names.is_empty() {
        return Err(Failure(format!(
            "{} has no assignments; check the repository out again",
            sources.display()
        )));
    }
    for name in &names {
        copy(&sources.join(name), &draft.path().join("source").join(name))?;
    }
    for name in ["submitted", "exchange"] {
        let path = draft.path().join(name);
        std::fs::create_dir_all(&path).map_err(at(&path))?;
    }
    let exchange = draft.path().join("exchange");
    // nbgrader wants it so: every student hands in there.
    set_mode(&exchange, 0o777)?;
    let config = draft.path().join(CONFIG);
    std::fs::write(&config, CONFIGURATION).map_err(at(&config))?;
    set_mode(draft.path(), 0o755)?;
    std::fs::rename(draft.path(), &absolute).map_err(at(&absolute))?;
    let _ = draft.keep();
    Ok(names)
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(at(path))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).map_err(at(to))?;
    for path in entries(from)? {
        let Some(name) = path
            .file_name()
            .filter(|name| !name.to_string_lossy().starts_with('.'))
        else {
            continue;
        };
        if path.is_dir() {
            copy(&path, &to.join(name))?;
        } else {
            std::fs::copy(&path, to.join(name)).map_err(at(&path))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_new_or_an_empty_folder_will_do() {
        let folder = tempfile::tempdir().unwrap();
        assert!(check(&folder.path().join("new")).is_ok());
        assert!(check(folder.path()).is_ok());
        std::fs::write(folder.path().join("notes.txt"), "").unwrap();
        let refusal = |path: &Path| check(path).unwrap_err().to_string();
        assert!(refusal(folder.path()).contains("is not empty; expected"));
        assert!(refusal(&folder.path().join("notes.txt")).contains("is a file; expected"));
        std::fs::write(folder.path().join(CONFIG), "").unwrap();
        assert!(refusal(folder.path()).contains("is a course already"));
    }
}
