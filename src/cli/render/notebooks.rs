//! Finds the notebooks that the arguments name.

use std::path::{Path, PathBuf};

use isopath::error::{Error, Result};

/// A notebook and the name of its page.
#[derive(Debug, PartialEq, Eq)]
pub struct Notebook {
    pub name: String,
    pub path: PathBuf,
}

impl Notebook {
    /// The names of the data sets that the notebook needs: `metadata.isopath.data`, a list.
    ///
    /// # Errors
    /// The file cannot be read. One that is no notebook needs nothing: its execution says what is
    /// wrong with it.
    pub fn data(&self) -> Result<Vec<String>> {
        let text = std::fs::read_to_string(&self.path).map_err(Error::io(&self.path))?;
        let notebook: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let names = notebook["metadata"]["isopath"]["data"]
            .as_array()
            .into_iter()
            .flatten();
        Ok(names
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect())
    }
}

/// The notebooks `asked` for, each a name in `folder` or a path; all of `folder` if none is.
///
/// # Errors
/// One that does not exist, two of one name, and a folder without any.
pub fn find(asked: &[PathBuf], folder: &Path) -> Result<Vec<Notebook>> {
    let paths = if asked.is_empty() {
        let all = all_in(folder)?;
        if all.is_empty() {
            return Err(Error::file(
                folder,
                "at least one notebook (.ipynb)",
                "none",
            ));
        }
        all
    } else {
        asked
            .iter()
            .map(|name| one(name, folder))
            .collect::<Result<_>>()?
    };
    let mut found: Vec<Notebook> = vec![];
    for path in paths {
        let name = name_of(&path);
        if name == "index" || name.ends_with(".failed") {
            let expected = "another name, since index.html lists the pages and NAME.failed.ipynb keeps a failed run";
            return Err(Error::argument("notebook", expected, path.display()));
        }
        match found.iter().find(|other| other.name == name) {
            Some(other) if other.path == path => {}
            Some(other) => {
                let expected = format!("a name of its own, not that of {}", other.path.display());
                return Err(Error::argument("notebook", expected, path.display()));
            }
            None => found.push(Notebook { name, path }),
        }
    }
    Ok(found)
}

fn is_notebook(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "ipynb")
        && path.is_file()
}

fn name_of(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Where a folder of notebooks has the sources of a course's assignments, each in its own folder.
const COURSE: &str = "course/source";

/// The notebooks of a folder, then those of its course.
fn all_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = inside(folder)?;
    found.retain(|path| is_notebook(path));
    let course = folder.join(COURSE);
    if course.is_dir() {
        for assignment in inside(&course)?.iter().filter(|path| path.is_dir()) {
            found.extend(
                inside(assignment)?
                    .into_iter()
                    .filter(|path| is_notebook(path)),
            );
        }
    }
    Ok(found)
}

fn inside(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(Error::io(folder))?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<Vec<_>>>()
        .map_err(Error::io(folder))?;
    paths.sort();
    Ok(paths)
}

fn one(name: &Path, folder: &Path) -> Result<PathBuf> {
    let with_ending = folder.join(format!("{}.ipynb", name.display()));
    if let Some(path) = [with_ending, folder.join(name), name.to_path_buf()]
        .into_iter()
        .find(|path| is_notebook(path))
    {
        return Ok(path);
    }
    let all = all_in(folder)?;
    let is_it = |path: &&PathBuf| name.as_os_str() == name_of(path).as_str();
    if let Some(path) = all.iter().find(is_it) {
        return Ok(path.clone());
    }
    let known: Vec<String> = all.iter().map(|path| name_of(path)).collect();
    let known = if known.is_empty() {
        "a notebook".into()
    } else {
        known.join(", ")
    };
    let expected = format!(
        "{known} (in {}), or the path of an .ipynb file",
        folder.display()
    );
    Err(Error::argument(
        "notebook",
        expected,
        format!("{:?}", name.display().to_string()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "{}").unwrap();
        }
        folder
    }

    fn names(asked: &[&str], folder: &Path) -> Result<Vec<String>> {
        let asked: Vec<PathBuf> = asked.iter().map(PathBuf::from).collect();
        Ok(find(&asked, folder)?
            .into_iter()
            .map(|notebook| notebook.name)
            .collect())
    }

    #[test]
    fn names_endings_and_paths_lead_to_the_same_notebook() {
        let folder = folder(&[
            "b.ipynb",
            "a.ipynb",
            "notes.md",
            ".ipynb_checkpoints/c.ipynb",
            "course/README.md",
            "course/source/2_last/0.ipynb",
            "course/source/1_first/z.ipynb",
        ]);
        let path = folder.path().join("a.ipynb");
        let all = ["a", "b", "z", "0"];
        assert_eq!(names(&[], folder.path()).unwrap(), all);
        assert_eq!(names(&["z"], folder.path()).unwrap(), ["z"]);
        assert_eq!(names(&["b", "a.ipynb"], folder.path()).unwrap(), ["b", "a"]);
        assert_eq!(
            names(&["a", "a.ipynb", path.to_str().unwrap()], folder.path()).unwrap(),
            ["a"]
        );
    }

    #[test]
    fn needed_data_sets_are_read_from_the_metadata() {
        let folder = folder(&["a.ipynb"]);
        let notebook = |text: &str| {
            let path = folder.path().join("a.ipynb");
            std::fs::write(&path, text).unwrap();
            Notebook {
                name: "a".into(),
                path,
            }
            .data()
            .unwrap()
        };
        assert_eq!(
            notebook(r#"{"metadata": {"isopath": {"data": ["mnist", "cifar10"]}}}"#),
            ["mnist", "cifar10"]
        );
        assert!(notebook("{}").is_empty());
        assert!(notebook("no notebook").is_empty());
    }

    #[test]
    fn others_are_refused_in_one_line() {
        let folder = folder(&["a.ipynb", "b.ipynb", "deep/a.ipynb"]);
        let error = names(&["huge"], folder.path()).unwrap_err().to_string();
        let expected = format!(
            "notebook is \"huge\"; expected a, b (in {}), or the path of an .ipynb file",
            folder.path().display()
        );
        assert_eq!(error, expected);
        let error = names(&["a", "deep/a"], folder.path())
            .unwrap_err()
            .to_string();
        assert!(error.contains("expected a name of its own"), "{error}");
        for name in ["index.ipynb", "a.failed.ipynb"] {
            let taken = self::folder(&[name]);
            let error = names(&[], taken.path()).unwrap_err().to_string();
            assert!(error.contains("expected another name"), "{error}");
        }
        let empty = tempfile::tempdir().unwrap();
        let error = names(&[], empty.path()).unwrap_err().to_string();
        assert!(
            error.ends_with("none; expected at least one notebook (.ipynb)"),
            "{error}"
        );
    }
}
